//! What an uploaded file is: the archive of a job, or a report.

use super::UploadError;

/// GitLab's types of files of a job, in the order of its numbers.
const FILE_TYPES: [&str; 33] = [
    "archive",
    "metadata",
    "trace",
    "junit",
    "sast",
    "dependency_scanning",
    "container_scanning",
    "dast",
    "codequality",
    "license_management",
    "performance",
    "metrics",
    "metrics_referee",
    "network_referee",
    "lsif",
    "dotenv",
    "cobertura",
    "terraform",
    "accessibility",
    "cluster_applications",
    "secret_detection",
    "requirements",
    "coverage_fuzzing",
    "browser_performance",
    "load_performance",
    "api_fuzzing",
    "cluster_image_scanning",
    "cyclonedx",
    "requirements_v2",
    "annotations",
    "repository_xray",
    "jacoco",
    "license_scanning",
];

/// One of GitLab's types of files of a job: `archive`, `junit`, `dotenv` and others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileType(&'static str);

impl FileType {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0
    }

    fn parse(word: &str) -> Option<Self> {
        FILE_TYPES.iter().find(|&&known| known == word).map(|&known| Self(known))
    }
}

/// How an uploaded file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileFormat {
    /// As it is.
    Raw,
    /// A zip archive.
    Zip,
    /// One gzip stream.
    Gzip,
}

impl FileFormat {
    /// GitLab's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Zip => "zip",
            Self::Gzip => "gzip",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Raw, Self::Zip, Self::Gzip].into_iter().find(|format| format.as_str() == word)
    }
}

/// What an uploaded file is to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The zip archive of the job's artifacts, whose entries are served.
    Archive,
    /// Anything else: kept as it came, listed with the job, never served.
    Report {
        /// What it is.
        file_type: FileType,
        /// How it is packed.
        format: FileFormat,
    },
}

/// A parameter with none of the words that it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadKind {
    /// `artifact_type` or `artifact_format`.
    pub name: &'static str,
}

impl From<BadKind> for UploadError {
    fn from(BadKind { name }: BadKind) -> Self {
        Self::NoValidValue { name }
    }
}

impl Kind {
    /// Reads the parameters `artifact_type` and `artifact_format`; left out they mean `archive` and
    /// `zip`. As in GitLab the words are case-sensitive.
    ///
    /// # Errors
    /// [`BadKind`], which is to be answered as 400.
    ///
    /// ```
    /// use entryway_server::upload::Kind;
    ///
    /// assert_eq!(Kind::parse(None, None), Ok(Kind::Archive));
    /// assert!(matches!(Kind::parse(Some("junit"), Some("gzip")), Ok(Kind::Report { .. })));
    /// assert!(Kind::parse(Some("jpeg"), None).is_err());
    /// ```
    pub fn parse(
        artifact_type: Option<&str>,
        artifact_format: Option<&str>,
    ) -> Result<Self, BadKind> {
        let file_type = FileType::parse(artifact_type.unwrap_or("archive"))
            .ok_or(BadKind { name: "artifact_type" })?;
        let format = FileFormat::parse(artifact_format.unwrap_or("zip"))
            .ok_or(BadKind { name: "artifact_format" })?;
        Ok(match (file_type.as_str(), format) {
            ("archive", FileFormat::Zip) => Self::Archive,
            _ => Self::Report { file_type, format },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_archive_in_zip_is_an_archive() {
        let report = |word, format| Ok(Kind::Report { file_type: FileType(word), format });
        let bad = |name| Err(BadKind { name });
        let table = [
            ("nothing given", None, None, Ok(Kind::Archive)),
            ("both given", Some("archive"), Some("zip"), Ok(Kind::Archive)),
            ("another format", Some("archive"), Some("gzip"), report("archive", FileFormat::Gzip)),
            ("only the format", None, Some("raw"), report("archive", FileFormat::Raw)),
            ("a report", Some("junit"), Some("gzip"), report("junit", FileFormat::Gzip)),
            ("a zipped report", Some("metadata"), None, report("metadata", FileFormat::Zip)),
            ("unknown type", Some("jpeg"), None, bad("artifact_type")),
            ("unknown format", None, Some("tar"), bad("artifact_format")),
            ("both unknown", Some("jpeg"), Some("tar"), bad("artifact_type")),
            ("empty", Some(""), None, bad("artifact_type")),
            ("upper case", Some("Archive"), None, bad("artifact_type")),
            ("upper case", None, Some("ZIP"), bad("artifact_format")),
        ];
        for (name, artifact_type, artifact_format, expected) in table {
            assert_eq!(Kind::parse(artifact_type, artifact_format), expected, "{name}");
        }
    }

    #[test]
    fn every_type_of_gitlab_is_known_once() {
        for (at, word) in FILE_TYPES.iter().enumerate() {
            assert_eq!(FILE_TYPES.iter().position(|other| other == word), Some(at), "{word}");
            assert_eq!(FileType::parse(word).unwrap().as_str(), *word);
        }
    }
}
