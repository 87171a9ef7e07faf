//! How long a switch takes to connect containers, and to let them go.

use crate::lab::case::Case;
use crate::lab::loads::Attach;
use crate::lab::setting::{Attaching, By, Setting};

const fn case(name: &'static str, title: &'static str, published: bool, by: By) -> Case {
    Case::outward(
        Setting::Attach(Attaching {
            count: 100,
            published,
            by,
        }),
        name,
        title,
        &Attach,
    )
}

pub(super) const CASES: &[Case] = &[
    case("attach-100", "100 containers", false, By::Engine),
    case(
        "attach-100-published",
        "100 containers with a published port",
        true,
        By::Engine,
    ),
    case(
        "attach-100-commands",
        "100 containers by commands",
        false,
        By::Script,
    ),
];
