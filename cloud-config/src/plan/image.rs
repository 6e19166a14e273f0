//! `coreos.flannel`, `oem` and `update`.

use std::path::{Path, PathBuf};

use super::drafts::Draft;
use super::{Planner, members};
use crate::state::Digest;

/// What flannel reads.
pub(super) const FLANNEL: &str = "/run/flannel/options.env";
/// What names the image.
pub(super) const OEM: &str = "/etc/oem-release";
/// What programs for updates read.
pub(super) const UPDATE: &str = "/etc/coreos/update.conf";
/// What it begins with.
pub(super) const UPDATE_DEFAULT: &str = "/usr/share/coreos/update.conf";

pub(super) fn plan(planner: &mut Planner<'_>) {
    let coreos = &planner.input.config.coreos;
    if let Some(text) = members::oem_release(&coreos.oem) {
        planner.drafts.write(OEM.into(), Draft::new(text));
    }
    let old =
        [UPDATE, UPDATE_DEFAULT].iter().find_map(|path| planner.drafts.content(Path::new(path)));
    let old = old.map(|old| String::from_utf8_lossy(old).into_owned()).unwrap_or_default();
    if let Some(text) = members::update_conf(&coreos.update, &old) {
        planner.drafts.edit(UPDATE.into(), text.into_bytes(), Draft::new(""));
    }
    if let Some(text) = members::flannel_options(&coreos.flannel) {
        let has_password =
            coreos.flannel.options.iter().any(|(option, _)| option.ends_with("password"));
        let mode = if has_password { 0o600 } else { 0o644 };
        let path = PathBuf::from(FLANNEL);
        planner.manifest.files.insert(path.clone(), Digest::of(text.as_bytes()));
        planner.drafts.write(path, Draft { mode, ..Draft::new(text) });
    }
}
