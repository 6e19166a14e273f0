//! What decides about the contents of units: files, and what the registry has.

use std::collections::{BTreeMap, BTreeSet};

use fleet_units::UnitName;
use fleet_units::api::v2::UnitDetail;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::client::{CONCURRENT, Client, ClientError};
use crate::commands::Known;
use crate::error::chain;
use crate::source::{Argument, Findings, Registered};
use crate::ui::Ui;

/// Reads the arguments; a name that stands twice counts once.
pub(super) fn arguments(words: &[String], ui: &Ui, failed: &mut bool) -> Vec<Argument> {
    let mut seen = BTreeSet::new();
    let mut arguments = Vec::new();
    for word in words {
        match Argument::parse(word) {
            Ok(argument) if seen.insert(argument.name.clone()) => arguments.push(argument),
            Ok(_) => {}
            Err(error) => {
                ui.note(&format!("Error creating units: {}", chain(&error)));
                *failed = true;
            }
        }
    }
    arguments
}

/// Finds all that decides about the contents of units, and asks the registry only for that.
pub(super) async fn gather(
    client: &Client<'_>,
    arguments: &[Argument],
    known: &Known,
    replace: bool,
) -> Result<Vec<Findings>, ClientError> {
    let mut findings: Vec<Findings> = Vec::with_capacity(arguments.len());
    let mut wanted: BTreeSet<UnitName> = BTreeSet::new();
    for argument in arguments {
        let (file, template_file) = argument.local();
        let is_known = known.contains_key(argument.name.as_str());
        let is_local = file.is_some() || template_file.is_some();
        if is_known && (is_local || replace) {
            wanted.insert(argument.name.clone());
        }
        if file.is_none() && (replace || !is_known) {
            wanted.extend(argument.name.template());
        }
        findings.push(Findings { file, template_file, ..Findings::default() });
    }
    let units = units(client, wanted).await?;
    for (argument, findings) in arguments.iter().zip(&mut findings) {
        let template = argument.name.template().and_then(|template| units.get(&template));
        findings.template = template.and_then(|template| template.contents.clone());
        let unknown = |unit: &UnitDetail| Registered {
            desired: unit.desired_state,
            contents: None,
            verbatim: false,
        };
        let fetched = units.get(&argument.name).cloned();
        findings.registered = fetched.or_else(|| known.get(argument.name.as_str()).map(unknown));
    }
    Ok(findings)
}

async fn units(
    client: &Client<'_>,
    names: BTreeSet<UnitName>,
) -> Result<BTreeMap<UnitName, Registered>, ClientError> {
    stream::iter(names)
        .map(|name| async move {
            let unit = client.unit(name.as_str()).await?;
            Ok(unit.map(|unit| (name, Registered::of(&unit))))
        })
        .buffered(CONCURRENT)
        .try_filter_map(|found| async move { Ok(found) })
        .try_collect()
        .await
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;

    #[test]
    fn a_name_that_stands_twice_counts_once() {
        let ui = Ui::new(Box::new(std::io::sink()), Box::new(std::io::sink()), false);
        let mut failed = false;
        let words = ["a", "dir/a.service", "b"].map(str::to_owned);
        let names: Vec<String> = arguments(&words, &ui, &mut failed)
            .iter()
            .map(|argument| argument.name.to_string())
            .collect();
        assert_eq!((names, failed), (vec!["a.service".to_owned(), "b.service".to_owned()], false));
        assert_eq!(arguments(slice::from_ref(&"a b".to_owned()), &ui, &mut failed), []);
        assert!(failed);
    }
}
