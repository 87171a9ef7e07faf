//! The command and its parameters, which are environment variables.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::failure::{Failure, code};

/// What a runtime asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Add(Place),
    Del(Attachment),
    Check(Place),
    Gc,
    Status,
    Version,
}

/// What the specification has attachments known by, within a network.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Attachment {
    /// `CNI_CONTAINERID`.
    pub(crate) container: String,
    /// `CNI_IFNAME`.
    pub(crate) ifname: String,
}

/// An attachment and the namespace it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) attachment: Attachment,
    /// `CNI_NETNS`: an absolute path.
    pub(crate) netns: String,
}

/// All the variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Environment {
    pub(crate) command: Command,
    /// `CNI_ARGS`, as they are.
    pub(crate) args: String,
    /// `CNI_PATH`: where other plugins are.
    pub(crate) path: Vec<PathBuf>,
}

/// Reads variables and notes what is wrong with them, so that all of it is told at once.
struct Reader<F> {
    get: F,
    wrong: Vec<String>,
}

impl Environment {
    /// From the variables as `get` finds them.
    pub(crate) fn read(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, Failure> {
        let mut reader = Reader {
            get,
            wrong: Vec::new(),
        };
        let command = reader.command();
        let args = reader.optional("CNI_ARGS");
        let path = (reader.get)("CNI_PATH").unwrap_or_default();
        let path: Vec<PathBuf> = std::env::split_paths(&path)
            .filter(|folder| folder.is_absolute())
            .collect();
        if command == Some(Command::Gc) && path.is_empty() {
            reader.wrong("CNI_PATH", "is not set, and GC needs it");
        }
        match command {
            Some(command) if reader.wrong.is_empty() => Ok(Self {
                command,
                args,
                path,
            }),
            _ => {
                let details = reader.wrong.join("; ");
                Err(Failure::new(code::INVALID_ENVIRONMENT, details))
            }
        }
    }
}

impl<F: Fn(&str) -> Option<OsString>> Reader<F> {
    /// `None` if something is wrong.
    fn command(&mut self) -> Option<Command> {
        match self.optional("CNI_COMMAND").as_str() {
            "ADD" => self.place("ADD").map(Command::Add),
            "CHECK" => self.place("CHECK").map(Command::Check),
            "DEL" => self.attachment("DEL").map(Command::Del),
            "GC" => Some(Command::Gc),
            "STATUS" => Some(Command::Status),
            "VERSION" => Some(Command::Version),
            "" => {
                let why = "is not set: container engines run this program, by the Container Network \
                           Interface; people use vsctl";
                self.wrong("CNI_COMMAND", why);
                None
            }
            other => {
                let why = format!("is {other:?}, not ADD, DEL, CHECK, GC, STATUS or VERSION");
                self.wrong("CNI_COMMAND", &why);
                None
            }
        }
    }

    fn place(&mut self, command: &str) -> Option<Place> {
        let attachment = self.attachment(command);
        let netns = self.required("CNI_NETNS", command)?;
        if !netns.starts_with('/') {
            self.wrong("CNI_NETNS", &format!("is {netns:?}, not an absolute path"));
            return None;
        }
        Some(Place {
            attachment: attachment?,
            netns,
        })
    }

    fn attachment(&mut self, command: &str) -> Option<Attachment> {
        let container = self.required("CNI_CONTAINERID", command);
        if let Some(text) = &container
            && !is_container_id(text)
        {
            let why = format!(
                "is {text:?}: it must begin with a letter or digit, and go on with letters, digits, '_', '.' or '-'"
            );
            self.wrong("CNI_CONTAINERID", &why);
        }
        let ifname = self.required("CNI_IFNAME", command);
        if let Some(text) = &ifname
            && !is_interface_name(text)
        {
            let why = format!("is {text:?}, which is no name for an interface");
            self.wrong("CNI_IFNAME", &why);
        }
        Some(Attachment {
            container: container?,
            ifname: ifname?,
        })
    }

    fn required(&mut self, name: &str, command: &str) -> Option<String> {
        let value = self.optional(name);
        if value.is_empty() {
            self.wrong(name, &format!("is not set, and {command} needs it"));
            return None;
        }
        Some(value)
    }

    /// Empty if it is not set, which is the same to the specification.
    fn optional(&mut self, name: &str) -> String {
        match (self.get)(name).map(OsString::into_string) {
            None => String::new(),
            Some(Ok(value)) => value,
            Some(Err(_)) => {
                self.wrong(name, "is not UTF-8");
                String::new()
            }
        }
    }

    fn wrong(&mut self, name: &str, why: &str) {
        self.wrong.push(format!("{name} {why}"));
    }
}

fn is_container_id(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    text.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.bytes().all(inner)
}

/// What the kernel takes, and the specification: no ':' either.
fn is_interface_name(text: &str) -> bool {
    let fits = |c: char| c != '/' && c != ':' && !c.is_whitespace();
    text.len() < 16 && !matches!(text, "." | "..") && text.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Environment, Failure> {
        Environment::read(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.into())
        })
    }

    #[test]
    fn a_command_has_its_parameters() {
        let environment = read(&[
            ("CNI_COMMAND", "ADD"),
            ("CNI_CONTAINERID", "0a_b.c-d"),
            ("CNI_NETNS", "/run/netns/blue"),
            ("CNI_IFNAME", "eth0"),
            ("CNI_ARGS", "A=B"),
            ("CNI_PATH", "/opt/cni/bin:relative:/usr/lib/cni"),
        ])
        .unwrap();
        let attachment = Attachment {
            container: "0a_b.c-d".to_owned(),
            ifname: "eth0".to_owned(),
        };
        let netns = "/run/netns/blue".to_owned();
        assert_eq!(
            environment,
            Environment {
                command: Command::Add(Place { attachment, netns }),
                args: "A=B".to_owned(),
                path: vec!["/opt/cni/bin".into(), "/usr/lib/cni".into()],
            }
        );
    }

    #[test]
    fn what_a_command_does_not_need_may_be_missing() {
        let del = [
            ("CNI_COMMAND", "DEL"),
            ("CNI_CONTAINERID", "a"),
            ("CNI_IFNAME", "e"),
        ];
        assert!(matches!(read(&del).unwrap().command, Command::Del(_)));
        for (name, command) in [("STATUS", Command::Status), ("VERSION", Command::Version)] {
            assert_eq!(read(&[("CNI_COMMAND", name)]).unwrap().command, command);
        }
        let gc = [("CNI_COMMAND", "GC"), ("CNI_PATH", "/opt/cni/bin")];
        assert_eq!(read(&gc).unwrap().command, Command::Gc);
    }

    #[test]
    fn the_error_names_every_variable_that_is_wrong() {
        for (variables, names) in [
            (&[][..], &["CNI_COMMAND"][..]),
            (&[("CNI_COMMAND", "add")], &["CNI_COMMAND"]),
            (&[("CNI_COMMAND", "GC")], &["CNI_PATH"]),
            (
                &[("CNI_COMMAND", "ADD")],
                &["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"],
            ),
            (
                &[
                    ("CNI_COMMAND", "CHECK"),
                    ("CNI_IFNAME", "e"),
                    ("CNI_CONTAINERID", "-a"),
                ],
                &["CNI_CONTAINERID", "CNI_NETNS"],
            ),
            (
                &[("CNI_COMMAND", "DEL"), ("CNI_IFNAME", "a/b")],
                &["CNI_CONTAINERID", "CNI_IFNAME"],
            ),
            (
                // A relative path would be a name to the switch, and `host` is one.
                &[
                    ("CNI_COMMAND", "ADD"),
                    ("CNI_CONTAINERID", "a"),
                    ("CNI_IFNAME", "e"),
                    ("CNI_NETNS", "host"),
                ],
                &["CNI_NETNS"],
            ),
        ] {
            let failure = read(variables).unwrap_err();
            assert_eq!(failure.code, code::INVALID_ENVIRONMENT);
            for name in names {
                assert!(failure.details.contains(name), "{}", failure.details);
            }
            assert_eq!(
                failure.details.matches("CNI_").count(),
                names.len(),
                "{}",
                failure.details
            );
        }
    }

    #[test]
    fn names_of_interfaces_are_the_kernels() {
        for good in ["eth0", "lan.7", "abcdefghijklmno"] {
            assert!(is_interface_name(good), "{good}");
        }
        for bad in [".", "..", "a b", "a:b", "a/b", "abcdefghijklmnop"] {
            assert!(!is_interface_name(bad), "{bad}");
        }
    }
}
