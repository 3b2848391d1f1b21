//! Every reason code of the workspace, in one table; `docs/reasons.md` is the same for readers.

use super::{Reason, refused, unreachable, usage};

/// Every reason a command can end with, sorted by code.
pub const REASONS: &[Reason] = &[
    unreachable("file-unreadable", "Check that the path is right and that you may read it."),
    refused("file-too-large", "Check that this is the file you meant; files of this kind are small."),
    unreachable("file-unwritable", "Check that the folder exists, has room and may be written."),
    refused("not-built", "Use the parts that exist; the README lists what is planned."),
    refused("secret-exists", "Pass --force to replace the secret, and lose the old one."),
    usage("usage", "See --help."),
];
