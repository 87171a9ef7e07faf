//! Sandboxes: added, seen, removed.

use super::Model;
use crate::error::Error;
use crate::sandbox::{NetnsId, Sandbox, SandboxKey};

impl Model {
    /// Adds a sandbox that stays without endpoints, under a name; `netns` is its namespace, if made
    /// already.
    ///
    /// # Errors
    /// [`Error::SandboxNotNamed`] for a path or a process; [`Error::SandboxExists`] if it was added or
    /// attached before; [`Error::SandboxAlias`] and [`Error::SandboxIsHost`] by `netns`.
    pub fn add_sandbox(
        &mut self,
        key: SandboxKey,
        netns: Option<NetnsId>,
    ) -> Result<Sandbox, Error> {
        let sandbox = key.normalised()?;
        if !matches!(sandbox, SandboxKey::Name(_)) {
            return Err(Error::SandboxNotNamed { sandbox });
        }
        if self.sandboxes.contains_key(&sandbox) {
            return Err(Error::SandboxExists { sandbox });
        }
        self.check_namespace(&sandbox, netns)?;
        let record = Sandbox {
            key: sandbox.clone(),
            owned: true,
            netns,
        };
        self.sandboxes.insert(sandbox, record.clone());
        Ok(record)
    }

    /// Removes a sandbox that `add_sandbox` added.
    ///
    /// # Errors
    /// [`Error::SandboxNotFound`], [`Error::SandboxInUse`] as long as there are endpoints, and
    /// [`Error::SandboxNotOwned`].
    pub fn remove_sandbox(&mut self, key: &SandboxKey) -> Result<Sandbox, Error> {
        let sandbox = || key.clone();
        let Some(record) = self.sandboxes.get(key) else {
            return Err(Error::SandboxNotFound { sandbox: sandbox() });
        };
        if !record.owned {
            return Err(Error::SandboxNotOwned { sandbox: sandbox() });
        }
        let networks = self.network_names(key);
        if !networks.is_empty() {
            return Err(Error::SandboxInUse {
                sandbox: sandbox(),
                networks,
            });
        }
        self.sandboxes
            .remove(key)
            .ok_or_else(|| Error::SandboxNotFound { sandbox: sandbox() })
    }

    /// Notes which namespace a sandbox is, or that it is not known (any more).
    ///
    /// # Errors
    /// [`Error::SandboxNotFound`].
    pub fn set_netns(
        &mut self,
        key: &SandboxKey,
        netns: Option<NetnsId>,
    ) -> Result<Sandbox, Error> {
        let Some(record) = self.sandboxes.get_mut(key) else {
            return Err(Error::SandboxNotFound {
                sandbox: key.clone(),
            });
        };
        record.netns = netns;
        Ok(record.clone())
    }

    /// The sandbox with this key, if it was added or has endpoints.
    #[must_use]
    pub fn sandbox(&self, key: &SandboxKey) -> Option<&Sandbox> {
        self.sandboxes.get(key)
    }

    /// Every sandbox that was added or has endpoints, in order of keys.
    pub fn sandboxes(&self) -> impl Iterator<Item = &Sandbox> {
        self.sandboxes.values()
    }

    /// Checks that `key` is the one key of the namespace it stands for.
    pub(super) fn check_namespace(
        &self,
        key: &SandboxKey,
        netns: Option<NetnsId>,
    ) -> Result<(), Error> {
        let Some(netns) = netns else {
            return Ok(());
        };
        let sandbox = || key.clone();
        if self.settings.host_netns == Some(netns) && !key.is_host() {
            return Err(Error::SandboxIsHost { sandbox: sandbox() });
        }
        if let Some(known) = self
            .sandboxes
            .values()
            .find(|known| known.netns == Some(netns))
            && known.key != *key
        {
            return Err(Error::SandboxAlias {
                given: sandbox(),
                known: known.key.clone(),
            });
        }
        let before = self.sandboxes.get(key).and_then(|record| record.netns);
        let networks = self.network_names(key);
        if before.is_some_and(|before| before != netns) && !networks.is_empty() {
            return Err(Error::SandboxReplaced {
                sandbox: sandbox(),
                networks,
            });
        }
        Ok(())
    }

    /// Keeps a record of a sandbox that gets an endpoint, with its namespace if that is known.
    pub(super) fn see_namespace(&mut self, key: &SandboxKey, netns: Option<NetnsId>) {
        let record = self
            .sandboxes
            .entry(key.clone())
            .or_insert_with(|| Sandbox {
                key: key.clone(),
                owned: false,
                netns: None,
            });
        record.netns = netns.or(record.netns);
    }

    /// Drops the record of a sandbox that is neither added nor has endpoints, and returns it.
    pub(super) fn forget_unless_needed(&mut self, key: &SandboxKey) -> Option<Sandbox> {
        let needed = self.sandboxes.get(key)?.owned || self.endpoints_in(key).next().is_some();
        if needed {
            return None;
        }
        self.sandboxes.remove(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::AttachRequest;
    use crate::model::fixture::{NOW, add_network, attach, endpoint_id, key, model};
    use crate::network::NetworkRequest;
    use crate::publish::AllFree;
    use crate::settings::Settings;

    const fn netns(ino: u64) -> Option<NetnsId> {
        Some(NetnsId { dev: 4, ino })
    }

    fn attach_in(
        model: &mut Model,
        n: u8,
        network: &str,
        sandbox: &str,
        netns: Option<NetnsId>,
    ) -> Result<(), Error> {
        let request = AttachRequest {
            netns,
            ..AttachRequest::new(model.find_network(network)?.id, key(sandbox))
        };
        model
            .create_endpoint(request, endpoint_id(n), NOW, &mut AllFree)
            .map(drop)
    }

    #[test]
    fn an_added_sandbox_outlives_its_endpoints() {
        let mut model = model();
        add_network(&mut model, 1, NetworkRequest::new("web"));
        model.add_sandbox(key("box"), None).unwrap();
        attach(&mut model, 1, "web", "box");
        assert_eq!(
            model.remove_sandbox(&key("box")).unwrap_err().to_string(),
            "sandbox box is attached to web; detach it first"
        );
        assert_eq!(model.remove_endpoint(endpoint_id(1)).unwrap().sandbox, None);
        assert!(model.sandbox(&key("box")).is_some());
        assert!(model.remove_sandbox(&key("box")).unwrap().owned);
        assert_eq!(
            model.remove_sandbox(&key("box")).unwrap_err().code(),
            "sandbox_not_found"
        );
    }

    #[test]
    fn what_add_sandbox_refuses() {
        let mut model = model();
        add_network(&mut model, 1, NetworkRequest::new("web"));
        model.add_sandbox(key("box"), netns(1)).unwrap();
        attach(&mut model, 1, "web", "found");
        for (sandbox, netns, code) in [
            ("box", None, "sandbox_exists"),
            ("found", None, "sandbox_exists"),
            ("pid:1", None, "sandbox_invalid"),
            ("/a/b", None, "sandbox_invalid"),
            ("host", None, "sandbox_invalid"),
            ("other", netns(1), "sandbox_alias"),
        ] {
            let before = model.clone();
            let error = model.add_sandbox(key(sandbox), netns).unwrap_err();
            assert_eq!(error.code(), code, "{sandbox}");
            assert_eq!(model, before);
        }
        let found = model.remove_sandbox(&key("found"));
        assert_eq!(found.unwrap_err().code(), "sandbox_not_owned");
    }

    #[test]
    fn one_namespace_has_one_key() {
        let mut model = Model::new(Settings {
            host_netns: netns(1),
            ..Settings::default()
        });
        for (n, name) in [(1, "web"), (2, "db")] {
            add_network(&mut model, n, NetworkRequest::new(name));
        }
        attach_in(&mut model, 1, "web", "pid:7", netns(2)).unwrap();
        for (sandbox, ino, code) in [
            ("pid:8", 2, "sandbox_alias"),
            ("pid:1", 1, "host_sandbox"),
            ("pid:7", 3, "sandbox_replaced"),
        ] {
            let error = attach_in(&mut model, 2, "db", sandbox, netns(ino)).unwrap_err();
            assert_eq!(error.code(), code, "{error}");
        }
        attach_in(&mut model, 2, "db", "pid:7", netns(2)).unwrap();
        attach_in(&mut model, 3, "host", "host", netns(1)).unwrap();
        let record = model.sandbox(&key("pid:7")).unwrap();
        assert_eq!((record.netns, record.owned), (netns(2), false));
    }

    #[test]
    fn a_namespace_may_change_while_nothing_is_in_it() {
        let mut model = model();
        add_network(&mut model, 1, NetworkRequest::new("web"));
        model.add_sandbox(key("box"), netns(2)).unwrap();
        attach_in(&mut model, 1, "web", "box", netns(3)).unwrap();
        assert_eq!(model.sandbox(&key("box")).unwrap().netns, netns(3));
        assert_eq!(model.set_netns(&key("box"), None).unwrap().netns, None);
        assert!(model.set_netns(&key("gone"), None).is_err());
    }
}
