//! What must be refused, and is: by the commands a user would type, on inputs that stay in `refused/`.
//!
//! Each case is a folder with its input and a file `command`, one line to be typed in the demo's folder.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{AUDIENCE, Stage, claim};
use crate::companion::Companion;
use crate::failure::Failure;
use crate::files;
use crate::service::instance::now;
use crate::service::issuer::Issuer;

/// A case and the reason it was refused for.
pub(super) struct Refusal {
    pub(super) case: &'static str,
    pub(super) reason: String,
    says: String,
}

pub(super) fn run(stage: &Stage) -> Result<Vec<Refusal>, Failure> {
    let cases = [
        ("changed-file", changed_file(stage)?),
        ("another-identity", another_identity(stage)?),
        ("doubled-claim", doubled_claim(stage)?),
        ("dropped-log-entry", dropped_log_entry(stage)?),
    ];
    cases.into_iter().map(|(case, arguments)| refused(stage, case, &arguments)).collect()
}

/// Runs this program in a folder with `--json`: (status, object).
pub(super) fn command(folder: &Path, arguments: &[impl AsRef<str>]) -> Result<(Option<i32>, Value), Failure> {
    let failed = |error: std::io::Error| Failure::new("demo-step", error.to_string());
    let program = std::env::current_exe().map_err(failed)?;
    let arguments = arguments.iter().map(AsRef::as_ref);
    let output =
        Command::new(program).args(arguments).arg("--json").current_dir(folder).output().map_err(failed)?;
    Ok((output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default()))
}

fn refused(stage: &Stage, case: &'static str, arguments: &[String]) -> Result<Refusal, Failure> {
    let line = format!("sigveil {}\n", arguments.join(" "));
    files::write(&stage.folder.join("refused").join(case).join("command"), line.as_bytes())?;
    let (status, answer) = command(&stage.folder, arguments)?;
    let reason = answer["reason"].as_str().unwrap_or_default().to_owned();
    if status != Some(1) || reason.is_empty() {
        return Err(Failure::new("demo-step", format!("{case} was not refused: {answer}")));
    }
    let says = crate::failure::advice(&reason).unwrap_or_default().to_owned();
    Ok(Refusal { case, reason, says })
}

/// The refusals for people.
pub(super) fn text(refusals: &[Refusal]) -> String {
    let lines: Vec<String> =
        refusals.iter().map(|r| format!("  {:<18} {:<24} {}", r.case, r.reason, r.says)).collect();
    format!("Refused (each input and its command are in refused/):\n{}", lines.join("\n"))
}

fn verify(stage: &Stage, file: &str, san: &str, sigveil: &str) -> Vec<String> {
    [
        "verify",
        file,
        "--bundle",
        "artifact.sigstore.json",
        "--trusted-root",
        "trusted_root.json",
        "--identity",
        san,
        "--issuer",
        stage.signed.certificate.issuer(),
        "--sigveil",
        sigveil,
        "--require",
        "proof,search",
    ]
    .map(str::to_owned)
    .to_vec()
}

const COMPANION: &str = "artifact.sigveil.json";

fn case_folder(stage: &Stage, case: &str) -> Result<std::path::PathBuf, Failure> {
    let folder = stage.folder.join("refused").join(case);
    files::make_folder(&folder)?;
    Ok(folder)
}

fn changed_file(stage: &Stage) -> Result<Vec<String>, Failure> {
    let copy = case_folder(stage, "changed-file")?.join("artifact");
    files::copy(&stage.folder.join("artifact"), &copy)?;
    files::append(&copy, b"\n")?;
    let san = stage.signed.certificate.san().to_string();
    Ok(verify(stage, "refused/changed-file/artifact", &san, COMPANION))
}

/// Somebody else's label: one bit of the signer's, in the strict form.
fn another_identity(stage: &Stage) -> Result<Vec<String>, Failure> {
    case_folder(stage, "another-identity")?;
    let own = stage.signed.certificate.san();
    let mut bytes = own.label.to_bytes();
    bytes[31] ^= 1;
    let label = sigveil_vrf_identity::label::Label::from_bytes(&bytes)
        .map_err(|error| Failure::new("demo-step", error.to_string()))?;
    let other = sigveil_vrf_identity::label::San { label, ..*own };
    Ok(verify(stage, "artifact", &other.to_string(), COMPANION))
}

/// A token, rightly signed, that names two addresses. Neither is the signer's.
fn doubled_claim(stage: &Stage) -> Result<Vec<String>, Failure> {
    let folder = case_folder(stage, "doubled-claim")?;
    let url = claim(&stage.token, "iss").unwrap_or_default();
    let issuer = Issuer::new(url.clone(), &Issuer::generate_key()?)?;
    let now = now();
    let payload = format!(
        r#"{{"iss":{},"sub":"mallory","aud":"{AUDIENCE}","iat":{now},"exp":{},"email":"mallory@example.org","email":"victim@example.org","email_verified":true}}"#,
        json!(url),
        now + 600
    );
    files::write(&folder.join("token.jwt"), issuer.sign(payload.as_bytes())?.as_bytes())?;
    files::write(&folder.join("jwks.json"), format!("{:#}\n", issuer.jwks()).as_bytes())?;
    let arguments = [
        "token",
        "check",
        "--jwks",
        "refused/doubled-claim/jwks.json",
        "--issuer",
        &url,
        "--audience",
        AUDIENCE,
        "--time",
        &now.to_string(),
        "refused/doubled-claim/token.jwt",
    ];
    Ok(arguments.map(str::to_owned).to_vec())
}

/// An index that leaves out the newest entry of the list and says that this is all.
fn dropped_log_entry(stage: &Stage) -> Result<Vec<String>, Failure> {
    let folder = case_folder(stage, "dropped-log-entry")?;
    let text = files::read_text(&stage.folder.join(COMPANION), files::JSON_LIMIT)?;
    let mut companion = Companion::parse(&text)?;
    if let Some(list) = companion.search.as_mut().and_then(|answer| answer.list.as_mut()) {
        list.count -= 1;
        if let Some(page) = list.pages.last_mut() {
            page.items.pop();
        }
    }
    files::write(&folder.join(COMPANION), companion.to_json().as_bytes())?;
    let san = stage.signed.certificate.san().to_string();
    Ok(verify(stage, "artifact", &san, "refused/dropped-log-entry/artifact.sigveil.json"))
}
