//! What Go and Python read alike is served, but for what the table names with its rule.

use super::readers::{GO, Outcome, PYTHON, Reading};
use super::table::Table;
use super::{MADE_TO_MISLEAD, archives, corpora, read, verdict};

/// The entries of an archive that both readers serve alike, by their numbers; the second says
/// whether these are all of them.
fn read_alike(go: Option<&Reading>, python: Option<&Reading>) -> Option<(Vec<usize>, bool)> {
    let (Some(Some(go)), Some(Some(python))) = (go, python) else { return None };
    // What stands behind the recorded ones is taken to be as they are.
    if go.count != python.count || go.entries.len() != python.entries.len() {
        return None;
    }
    let outcomes = go.entries.iter().zip(&python.entries).enumerate();
    let alike: Vec<usize> = outcomes
        .filter(|(_, ((_, go), (_, python)))| go == python && matches!(go, Outcome::Serves(_)))
        .map(|(number, _)| number)
        .collect();
    let is_all = alike.len() == go.entries.len();
    Some((alike, is_all))
}

#[test]
fn what_go_and_python_read_alike_is_served_but_for_the_list() {
    let test = "what_go_and_python_read_alike_is_served_but_for_the_list";
    let Some(folder) = corpora(test) else { return };
    let (go, python) = (GO.readings(&folder), PYTHON.readings(&folder));
    let mut refused = Vec::new();
    let (mut whole, mut entries) = (0, 0);
    for (path, file) in archives(&folder) {
        if MADE_TO_MISLEAD.iter().any(|source| path.starts_with(source)) {
            continue;
        }
        let Some((alike, is_all)) = read_alike(go.get(&path), python.get(&path)) else { continue };
        let read = read(&file);
        let is_served =
            |number: &usize| read.as_ref().is_ok_and(|entries| entries[*number].1.is_ok());
        let not_served: Vec<&usize> = alike.iter().filter(|number| !is_served(number)).collect();
        entries += alike.len();
        if is_all && verdict(&read) == "served" {
            whole += 1;
        } else if is_all || !not_served.is_empty() {
            let (count, of) = (not_served.len(), alike.len());
            let line = format!("{path}\t{count} of {of}\t{}", verdict(&read));
            refused.push(Table::REFUSED.with_reason(&line));
        }
    }
    println!(
        "{entries} entries that both read alike, {whole} archives of nothing else served whole"
    );
    assert!(whole > 300, "{whole} archives");
    Table::REFUSED.assert_is(refused);
}
