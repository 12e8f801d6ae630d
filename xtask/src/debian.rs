//! Debian's packages without installing them: an apt of our own below
//! `target/apt`, which leaves the machine's sources and state alone.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    command::{output, say},
    workspace,
};

/// Debian's archive keys, by the names that its releases give the file.
const KEYRINGS: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
];

/// One suite of the archive that the machine takes its packages from.
pub struct Suite {
    folder: PathBuf,
}

/// A package file of a [`Suite`].
pub struct Package {
    file: PathBuf,
}

impl Suite {
    /// Reads the suite's index, from the network.
    ///
    /// # Errors
    /// When the machine is not a Debian one, or the suite cannot be reached.
    pub fn open(suite: &str) -> Result<Self> {
        say(&format!(
            "reading the index of Debian's {suite} (for this workspace only)"
        ));
        let folder = workspace::below_target("apt").join(suite);
        for part in ["state/lists/partial", "cache/archives/partial", "packages"] {
            let part = folder.join(part);
            fs::create_dir_all(&part).with_context(|| format!("make {}", part.display()))?;
        }
        let source = format!(
            "deb [signed-by={}] {} {suite} main\n",
            keyring()?,
            archive()?
        );
        fs::write(folder.join("sources.list"), source).context("write the source list")?;

        let suite = Self { folder };
        output(suite.apt("apt-get").arg("update")).context("read the index of the suite")?;
        Ok(suite)
    }

    /// The names of all packages that begin so.
    ///
    /// # Errors
    /// When apt fails.
    pub fn names(&self, prefix: &str) -> Result<Vec<String>> {
        let names = output(self.apt("apt-cache").args(["pkgnames", prefix]))?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// Downloads a package; `version` may be a shell pattern.
    ///
    /// # Errors
    /// When the suite has no such version or the download fails.
    pub fn download(&self, name: &str, version: &str) -> Result<Package> {
        say(&format!("downloading Debian's {name}"));
        let folder = self.folder.join("packages");
        let prefix = format!("{name}_");
        // Of an earlier version, or cut short.
        if let Some(old) = file_with_prefix(&folder, &prefix)? {
            fs::remove_file(&old).with_context(|| format!("remove {}", old.display()))?;
        }
        let mut download = self.apt("apt-get");
        download
            .arg("download")
            .arg(format!("{name}={version}"))
            .current_dir(&folder);
        output(&mut download).with_context(|| format!("download {name} {version}"))?;
        let file = file_with_prefix(&folder, &prefix)?
            .with_context(|| format!("apt-get left no file of {name}"))?;
        Ok(Package { file })
    }

    /// apt with its own state, cache and sources. The machine's other settings
    /// (a proxy, for instance) stay in force.
    fn apt(&self, program: &str) -> Command {
        let folder = self.folder.display();
        let mut command = Command::new(program);
        command.env("LC_ALL", "C");
        for option in [
            "quiet=2".to_owned(),
            format!("Dir::State={folder}/state"),
            format!("Dir::Cache={folder}/cache"),
            format!("Dir::Etc::SourceList={folder}/sources.list"),
            "Dir::Etc::SourceParts=-".to_owned(),
            // Of apt's own user: the folders here may be closed to it.
            "APT::Sandbox::User=".to_owned(),
            "Acquire::Languages=none".to_owned(),
            // Otherwise a suite that could not be reached is a mere warning.
            "APT::Update::Error-Mode=any".to_owned(),
        ] {
            command.arg("-o").arg(option);
        }
        command
    }
}

impl Package {
    /// Unpacks the package's files below a folder, without its scripts.
    ///
    /// # Errors
    /// When dpkg-deb fails.
    pub fn unpack(&self, folder: &Path) -> Result<()> {
        let mut unpack = Command::new("dpkg-deb");
        unpack.arg("-x").arg(&self.file).arg(folder);
        output(&mut unpack).with_context(|| format!("unpack {}", self.file.display()))?;
        Ok(())
    }

    /// Removes the downloaded file.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn remove(self) -> Result<()> {
        fs::remove_file(&self.file).with_context(|| format!("remove {}", self.file.display()))
    }
}

fn file_with_prefix(folder: &Path, prefix: &str) -> Result<Option<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    let found = entries
        .filter_map(Result::ok)
        .find(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    Ok(found.map(|entry| entry.path()))
}

fn keyring() -> Result<&'static str> {
    KEYRINGS
        .into_iter()
        .find(|file| Path::new(file).is_file())
        .context("Debian's archive keys were not found (package debian-archive-keyring)")
}

/// The address of the Debian archive in the machine's own sources.
fn archive() -> Result<String> {
    let mut targets = Command::new("apt-get");
    targets.args([
        "indextargets",
        "--format",
        "$(RELEASE) $(COMPONENT) $(REPO_URI)",
        "Created-By: Packages",
    ]);
    let targets = output(&mut targets).context("list the machine's package sources")?;
    let release = fs::read_to_string("/etc/os-release").context("find the machine's release")?;
    if os_release(&release, "ID") != Some("debian") {
        bail!("this machine is not a Debian one");
    }
    let codename = os_release(&release, "VERSION_CODENAME").unwrap_or("unstable");
    archive_of(&targets, codename)
        .map(str::to_owned)
        .with_context(|| format!("no source with {codename}'s main component is configured"))
}

/// A value of os-release(5), whose quotes are optional.
fn os_release<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        .map(|value| value.trim_matches('"'))
}

/// The address of the source that has the release's main component. A source
/// may call the release by its name or by its role.
fn archive_of<'a>(targets: &'a str, codename: &str) -> Option<&'a str> {
    targets.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (release, component, address) = (fields.next()?, fields.next()?, fields.next()?);
        let is_release = [codename, "stable", "testing", "unstable", "sid"].contains(&release);
        (is_release && component == "main").then_some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGETS: &str = "\
nodistro main https://other.example/node/
bookworm-security main http://archive.example/debian-security/
bookworm contrib http://archive.example/contrib/
bookworm main http://archive.example/debian/
bookworm-updates main http://archive.example/debian/";

    #[test]
    fn the_archive_is_the_source_of_the_release_itself() {
        assert_eq!(
            archive_of(TARGETS, "bookworm"),
            Some("http://archive.example/debian/")
        );
        assert_eq!(archive_of(TARGETS, "trixie"), None);
        assert_eq!(
            archive_of("stable main http://a/", "trixie"),
            Some("http://a/")
        );
    }

    #[test]
    fn os_release_values_may_be_quoted() {
        let text =
            "PRETTY_NAME=\"Debian\"\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nID=debian\n";
        assert_eq!(os_release(text, "ID"), Some("debian"));
        assert_eq!(os_release(text, "VERSION_ID"), Some("12"));
        assert_eq!(os_release(text, "VERSION"), None);
    }
}
