//! The circuits' keys: found in the user's cache folder, or made there with a progress bar.

use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rand_core::OsRng;
use sigveil_circuits::keys::{KeyError, KeyStore, Keys, Statement};
use sigveil_circuits::token::Class;
use sigveil_zk_ca::service::local_prover::LocalProver;
use sigveil_zk_ca::trust::CheckedTrust;

use crate::cli::output::Progress;
use crate::failure::Failure;

crate::failure::failures!(KeyError);

/// Loads the keys of these classes and of `nym`, making what is missing.
///
/// # Errors
/// When the folder cannot be read or written, or a file in it is no key.
pub fn load_or_create(
    folder: &Path,
    classes: &[Class],
    progress: &Progress,
) -> Result<LocalProver, KeyError> {
    let store = KeyStore::new(folder);
    all(classes, |statement| keys(&store, statement, progress))
}

/// Loads keys that are there, and makes none.
///
/// # Errors
/// When one is missing or not sound.
pub fn load(folder: &Path, classes: &[Class]) -> Result<LocalProver, Failure> {
    let store = KeyStore::new(folder);
    all(classes, |statement| present(&store, folder, statement))
}

/// The keys that an instance serves with: those that a ceremony made, or any if that was asked for, and then what is
/// missing is made. For statements that the instance's trust root names already they are the trust root's.
///
/// # Errors
/// As [`load_or_create`] and [`load`]; when keys are development keys and were not asked for, or others than the trust
/// root names.
pub fn for_service(
    folder: &Path,
    classes: &[Class],
    insecure_dev_keys: bool,
    trust: Option<&CheckedTrust>,
    progress: &Progress,
) -> Result<LocalProver, Failure> {
    let store = KeyStore::new(folder);
    all(classes, |statement| {
        let found = match insecure_dev_keys {
            true => keys(&store, statement, progress)?,
            false => present(&store, folder, statement)?,
        };
        if found.provenance().is_development() && !insecure_dev_keys {
            return Err(Failure::new(
                "development-keys",
                format!("{found}: whoever made it can forge proofs"),
            ));
        }
        Ok(match trust.and_then(|trust| trust.circuit(statement)) {
            Some(named) => found.expect(named.digest())?,
            None => found,
        })
    })
}

fn all<E>(classes: &[Class], get: impl Fn(Statement) -> Result<Keys, E>) -> Result<LocalProver, E> {
    let nym = get(Statement::Nym)?;
    let token = classes.iter().map(|class| Ok((*class, get(Statement::Token(*class))?)));
    Ok(LocalProver::new(nym, token.collect::<Result<Vec<_>, E>>()?))
}

fn present(store: &KeyStore, folder: &Path, statement: Statement) -> Result<Keys, Failure> {
    let missing =
        || Failure::new("proving-key-missing", format!("{statement} has no keys in {}", folder.display()));
    store.load(statement)?.ok_or_else(missing)
}

fn keys(store: &KeyStore, statement: Statement, progress: &Progress) -> Result<Keys, KeyError> {
    if let Some(keys) = store.load(statement)? {
        return Ok(keys);
    }
    progress.line(&format!("making the keys of {statement}: once per machine, a minute or two"));
    let target = if progress.draws() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(1), target);
    let style = ProgressStyle::with_template("{msg} {bar:40} {percent:>3} % {elapsed}");
    bar.set_style(style.expect("the template is constant and sound"));
    bar.set_message(statement.name());
    bar.enable_steady_tick(Duration::from_millis(200));
    let keys = store.load_or_create(statement, &mut OsRng, &mut |stage| {
        bar.set_length(stage.of as u64);
        bar.set_position(stage.done as u64);
    });
    bar.finish_and_clear();
    keys
}

/// The folder that keys are cached in: the one named, or `sigveil` in the user's cache folder.
///
/// # Errors
/// When none is named and the user has no home.
pub fn cache_folder(named: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(folder) = named {
        return Ok(folder.to_owned());
    }
    let folders = directories::ProjectDirs::from("", "", "sigveil");
    let folders =
        folders.ok_or_else(|| Failure::new("cache-folder-unknown", "this user has no home folder"))?;
    Ok(folders.cache_dir().to_owned())
}
