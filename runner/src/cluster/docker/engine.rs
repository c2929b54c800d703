//! The container engine: whether it answers, its version, and whether it has the image.

use bollard::{Docker, errors::Error, models::SystemVersion};

use super::super::{RigError, Version};
use crate::engine;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    /// Its name and version.
    pub version: String,
    /// Processors that containers may use.
    pub cpus: Option<u64>,
    /// Memory of the engine's machine, in bytes.
    pub memory: Option<u64>,
    /// The name of its operating system.
    pub system: String,
    /// Its kind of processor, by Rust's name, such as `x86_64`.
    pub processor: String,
}

/// An image that the engine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The name it was found by.
    pub name: String,
    /// Its id, which changes with its content.
    pub id: String,
}

/// Connects to the engine that the docker command would use, and checks that it answers.
/// Fails with [`RigError::Missing`] and how to fix it.
pub async fn connect() -> Result<Docker, RigError> {
    Ok(engine::connect().await?)
}

/// Describes the engine, for `kplan doctor` and the report.
pub async fn describe() -> Result<Engine, RigError> {
    let docker = connect().await?;
    let info = docker.info().await.map_err(|error| failed("report its version", &error))?;
    let parts = docker.version().await.map_err(|error| failed("report its version", &error))?;
    Ok(Engine {
        version: named(&parts, &info.server_version.unwrap_or_default()),
        cpus: info.ncpu.and_then(|n| u64::try_from(n).ok()),
        memory: info.mem_total.and_then(|n| u64::try_from(n).ok()),
        system: info.operating_system.unwrap_or_default(),
        processor: processor(info.architecture.unwrap_or_default()),
    })
}

/// Engines name processors as the kernel or as Go does.
fn processor(name: String) -> String {
    match name.as_str() {
        "amd64" => "x86_64".to_owned(),
        "arm64" => "aarch64".to_owned(),
        _ => name,
    }
}

/// `docker 28.2.2`, `podman 4.3.1`: an engine that is not Docker's names itself as a component.
fn named(parts: &SystemVersion, version: &str) -> String {
    let names = parts.components.iter().flatten().map(|part| part.name.to_lowercase());
    let name = names.filter_map(|name| name.strip_suffix(" engine").map(str::to_owned)).next();
    format!("{} {version}", name.unwrap_or_else(|| "docker".to_owned()))
}

/// The names under which an image of this version is looked for; the first that exists is used.
/// A template (with `{version}`) gives one name.
pub fn image_names(version: &Version, template: Option<&str>) -> Vec<String> {
    match template {
        Some(template) => vec![template.replace("{version}", &version.text)],
        None => ["kplan/kafka", "apache/kafka"].map(|name| format!("{name}:{version}")).to_vec(),
    }
}

/// The image to start: the plan's or the command line's template, else `KPLAN_IMAGE`, else the
/// default names. It is never pulled here: that would count as time of the plan.
/// Fails with [`RigError::Missing`] naming the commands that make it.
pub async fn find_image(
    docker: &Docker,
    version: &Version,
    template: Option<&str>,
) -> Result<Image, RigError> {
    let env = std::env::var("KPLAN_IMAGE").ok().filter(|value| !value.is_empty());
    let template = template.or(env.as_deref());
    let names = image_names(version, template);
    for name in &names {
        match docker.inspect_image(name).await {
            Ok(found) => {
                return Ok(Image { name: name.clone(), id: found.id.unwrap_or_default() });
            }
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => {}
            Err(error) => return Err(failed(&format!("inspect the image {name}"), &error)),
        }
    }
    let pulled = names.last().cloned().unwrap_or_default();
    Err(RigError::Missing {
        what: format!("the engine has no image {}", names.join(" or ")),
        help: match template {
            Some(_) => format!("run `docker pull {pulled}`, or correct the template"),
            None => format!(
                "build it with `kplan image {version}` (in a checkout `ci/kafka-image {version}`), \
                 or run `docker pull {pulled}`"
            ),
        },
    })
}

/// Whether the engine has an image of exactly this name. It is never pulled.
/// Fails with [`RigError::Missing`] if it does not.
pub async fn has_image(docker: &Docker, name: &str) -> Result<(), RigError> {
    match docker.inspect_image(name).await {
        Ok(_) => Ok(()),
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => Err(RigError::Missing {
            what: format!("the engine has no image {name}"),
            help: format!("build it, or run `docker pull {name}`: kplan never pulls an image"),
        }),
        Err(error) => Err(failed(&format!("inspect the image {name}"), &error)),
    }
}

/// An error of the engine in one line.
pub(super) fn failed(what: &str, error: &dyn std::fmt::Display) -> RigError {
    RigError::Other(format!("the container engine could not {what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_takes_the_place_of_the_default_names() {
        let version: Version = "4.1.1".parse().expect("a version");
        assert_eq!(image_names(&version, None), ["kplan/kafka:4.1.1", "apache/kafka:4.1.1"]);
        assert_eq!(image_names(&version, Some("r:5/k:{version}-x")), ["r:5/k:4.1.1-x"]);
    }
}
