//! The testkit's oracle, a second reading of the same rules, over every archive made by others.

use super::{archives, bytes_of, corpora};
use crate::{disagreement, open_and_read};

/// The longest archive that the oracle, which keeps everything, is asked about.
const ORACLE_LEN: u64 = 1 << 20;

#[test]
fn the_oracle_agrees_on_every_archive_made_by_others() {
    let test = "the_oracle_agrees_on_every_archive_made_by_others";
    let Some(folder) = corpora(test) else { return };
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (name, path) in archives(&folder) {
        if path.metadata().expect("a file of the corpora").len() > ORACLE_LEN {
            continue;
        }
        let bytes = bytes_of(&path);
        let engine = open_and_read(bytes.clone());
        if let Some(difference) = disagreement(&engine, &bytes) {
            wrong.push(format!("{name}: {difference}"));
        }
        seen += 1;
    }
    assert!(seen > 6_000, "{seen} archives");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
