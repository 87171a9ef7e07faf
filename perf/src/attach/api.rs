//! This project's switch, by its API.

use std::path::Path;

use anyhow::Result;

use super::{Hand, NETWORK, PUBLISHED, Waiting};
use crate::api::Api;

pub(super) struct ByApi(Api);

impl ByApi {
    pub(super) fn new(socket: &Path) -> Result<Self> {
        Ok(Self(Api::new(socket)?))
    }
}

impl Hand for ByApi {
    fn attach(&mut self, waiting: &Waiting) -> Result<()> {
        let publish = waiting.port.map(|port| format!("{port}:{PUBLISHED}"));
        let publish = publish.into_iter().collect();
        self.0
            .attach(NETWORK, &waiting.container.name, None, publish)
    }

    fn detach(&mut self, waiting: &Waiting) -> Result<()> {
        self.0.detach(NETWORK, &waiting.container.name)
    }
}
