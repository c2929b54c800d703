//! `kplan image`: builds local Kafka images from Kafka's released artifacts.

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::Path};

use clap::Args;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::process::{Child, Command};

use crate::{cluster::Version, exit::Exit, out::tell, stage::signals::Interrupt};

/// The script that builds images, and the files that it puts into them. It is a script because other
/// programs do all of the work: the engine, Maven, debootstrap.
const FILES: &[(&str, &str)] = &[
    (SCRIPT, include_str!("../../image/kafka-image")),
    ("archive", include_str!("../../image/archive")),
    ("Dockerfile", include_str!("../../image/Dockerfile")),
    ("tools", include_str!("../../image/tools")),
    ("bin/kafka-run-class.sh", include_str!("../../image/bin/kafka-run-class.sh")),
    ("config/server-log4j.properties", include_str!("../../image/config/server-log4j.properties")),
    ("config/server-log4j2.xml", include_str!("../../image/config/server-log4j2.xml")),
    ("config/tools-log4j.properties", include_str!("../../image/config/tools-log4j.properties")),
    ("config/tools-log4j2.xml", include_str!("../../image/config/tools-log4j2.xml")),
];
const SCRIPT: &str = "kafka-image";

/// Arguments of `kplan image`.
#[derive(Debug, Args)]
#[command(after_help = "\
No image is pulled: the base image is built from Debian's packages, Kafka's jars come from Maven Central. \
Downloads are kept with their checksums in $XDG_CACHE_HOME/kplan/images (default: ~/.cache/kplan/images), \
so that the same image can be built again without a network. The layer of the jars is then identical byte \
for byte.

Needs a container engine and unzip; Maven and Java for files that are not in the cache; root and debootstrap \
once, for the base image (or another base with --base).

Exit status: 0 built, or there already; 2 the command line is wrong; 3 an image could not be built; \
130 interrupted (143 for SIGTERM).

Examples:
  kplan image 4.4.0                                    kplan/kafka:4.4.0, the image that plans use by default
  kplan image 0.10.1.1 3.9.1 4.1.1 4.4.0
  kplan image 4.4.0 --base eclipse-temurin:17-jre      use a base image that the engine has
  kplan image 4.4.0 --name registry.example/kafka:{version}
  kplan run plans/ --image registry.example/kafka:{version}")]
pub struct ImageArgs {
    /// Versions of Kafka, from 0.10 on.
    #[arg(required = true, value_name = "VERSION")]
    pub versions: Vec<Version>,
    /// Base image, with Java 17, bash, iproute2 and iptables [default: built from Debian's packages].
    #[arg(long, value_name = "IMAGE", env = "KPLAN_BASE")]
    pub base: Option<String>,
    /// Name of the image; {version} stands for the version of Kafka.
    #[arg(long, value_name = "TEMPLATE", default_value = "kplan/kafka:{version}")]
    pub name: String,
    /// Build the image again if it exists.
    #[arg(long)]
    pub force: bool,
}

impl ImageArgs {
    /// What is wrong with the arguments, if anything.
    fn mistake(&self) -> Option<String> {
        if let Some(old) = self.versions.iter().find(|version| !version.at_least(&[0, 10])) {
            return Some(format!("Kafka {old} is too old: images start with 0.10"));
        }
        let several = self.versions.len() > 1 && !self.name.contains("{version}");
        several.then(|| {
            "--name must contain {version}, or all images would have the same name".to_owned()
        })
    }

    fn words(&self) -> Vec<&str> {
        let mut words = vec!["--name", &self.name];
        words.extend(self.force.then_some("--force"));
        words.extend(self.base.iter().flat_map(|base| ["--base", base]));
        words.extend(self.versions.iter().map(|version| version.text.as_str()));
        words
    }
}

/// Runs the command.
pub fn main(args: &ImageArgs) -> Exit {
    if let Some(mistake) = args.mistake() {
        tell!("error: {mistake}");
        return Exit::Usage;
    }
    let made = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(make(args)));
    made.unwrap_or_else(|error| {
        tell!("error: cannot run the script that builds images: {error}");
        Exit::Rig
    })
}

async fn make(args: &ImageArgs) -> io::Result<Exit> {
    let interrupt = Interrupt::listen()?;
    let dir = tempfile::tempdir()?;
    unpack(dir.path())?;
    let mut child = Command::new("bash")
        .arg(dir.path().join(SCRIPT))
        .args(args.words())
        // One process group: an interruption reaches what the script started, then the script cleans up.
        .process_group(0)
        .spawn()?;
    tokio::select! {
        status = child.wait() => {
            return Ok(if status?.success() { Exit::Passed } else { Exit::Rig });
        }
        () = interrupt.soft().cancelled() => {}
    }
    end(&child);
    child.wait().await?;
    Ok(Exit::by_signal(interrupt.signal().unwrap_or_default()))
}

fn end(child: &Child) {
    if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()) {
        // A process that has ended already needs no signal.
        let _ = killpg(Pid::from_raw(id), Signal::SIGTERM);
    }
}

fn unpack(dir: &Path) -> io::Result<()> {
    for (name, text) in FILES {
        let path = dir.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// The binary carries every file of the repository's `image` directory.
    #[test]
    fn no_file_of_the_image_was_left_out() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("image");
        let mut found = Vec::new();
        let mut open: Vec<PathBuf> = vec![root.clone()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).expect("the directory") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    found.push(path.strip_prefix(&root).expect("below").display().to_string());
                }
            }
        }
        found.sort();
        let mut carried: Vec<_> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        carried.sort();
        assert_eq!(found, carried);
    }

    #[test]
    fn the_script_is_given_the_arguments_of_the_command() {
        let args = ImageArgs {
            versions: vec!["4.1.1".parse().expect("a version")],
            base: Some("b".to_owned()),
            name: "n:{version}".to_owned(),
            force: true,
        };
        assert_eq!(args.mistake(), None);
        assert_eq!(args.words(), ["--name", "n:{version}", "--force", "--base", "b", "4.1.1"]);
    }
}
