//! Docker's plugins as networks of a `vswitchd`: another `vswitchd`, as the plugin that Docker would find.

mod second;
