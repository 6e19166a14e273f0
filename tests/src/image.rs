//! Images with busybox, written straight into the storage of docker-registry: neither podman nor a
//! push is needed on the machine.

use std::path::Path;

use serde_json::json;

use crate::command::{self, command};
use crate::error::Error;
use crate::{file, layer, paths};

/// What the images are called: that of the examples is busybox, too, as it only has to be pulled.
const REPOSITORIES: [&str; 2] = ["library/busybox", "dockerfile/elasticsearch"];

const TAG: &str = "_manifests/tags/latest";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A blob in the registry.
struct Blob {
    /// SHA-256 in hex.
    digest: String,
    size: usize,
}

/// Makes the images unless they are there.
///
/// # Errors
///
/// busybox cannot be read, or the disk is full.
pub(crate) fn make() -> Result<(), Error> {
    let images = paths::images();
    let is_whole = |name: &&str| repository(&images, name).join(TAG).join("current/link").exists();
    if REPOSITORIES.iter().all(is_whole) {
        return Ok(());
    }
    let tree = images.join("tree");
    // A crash may have left one.
    file::remove_tree(&tree)?;
    make_tree(&tree)?;
    let tar = ["tar", "-c", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "-C"];
    let mut tar = command(tar);
    let archive = command::output(tar.arg(&tree).arg("."), b"")?;
    command::printed(&tar, &archive)?;
    let rootfs = store(&images, &archive.stdout)?;
    let config = json!({
        "architecture": architecture(),
        "os": "linux",
        "config": {"Cmd": ["sh"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", rootfs.digest)]},
    });
    let config = store(&images, config.to_string().as_bytes())?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, &config),
        "layers": [descriptor(LAYER, &rootfs)],
    });
    let manifest = store(&images, manifest.to_string().as_bytes())?;
    file::remove_tree(&tree)?;
    for name in REPOSITORIES {
        publish(&repository(&images, name), [&rootfs, &config], &manifest)?;
    }
    Ok(())
}

fn publish(repository: &Path, layers: [&Blob; 2], manifest: &Blob) -> Result<(), Error> {
    for blob in layers {
        refer(&repository.join("_layers/sha256").join(&blob.digest), blob)?;
    }
    refer(&repository.join("_manifests/revisions/sha256").join(&manifest.digest), manifest)?;
    let tag = repository.join(TAG);
    refer(&tag.join("index/sha256").join(&manifest.digest), manifest)?;
    // Last, as its presence says that the image is whole.
    refer(&tag.join("current"), manifest)
}

fn make_tree(tree: &Path) -> Result<(), Error> {
    for directory in ["bin", "etc", "root", "tmp", "var"] {
        file::make_dir(&tree.join(directory))?;
    }
    let busybox = layer::program("/usr/bin/busybox");
    let busybox = if busybox.exists() { busybox } else { layer::program("/bin/busybox") };
    command::read(command(["cp"]).arg(&busybox).arg(tree.join("bin/busybox")))?;
    file::write(&tree.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n")?;
    for applet in command::read(command([&busybox]).arg("--list"))?.lines() {
        if applet != "busybox" {
            file::link("busybox", &tree.join("bin").join(applet))?;
        }
    }
    Ok(())
}

fn store(images: &Path, contents: &[u8]) -> Result<Blob, Error> {
    let printed = command::output(&mut command(["sha256sum"]), contents)?.stdout;
    let digest: String = String::from_utf8_lossy(&printed).chars().take(64).collect();
    let prefix: String = digest.chars().take(2).collect();
    let directory = storage(images).join("blobs/sha256").join(prefix).join(&digest);
    file::write(&directory.join("data"), contents)?;
    Ok(Blob { digest, size: contents.len() })
}

fn refer(directory: &Path, blob: &Blob) -> Result<(), Error> {
    Ok(file::write(&directory.join("link"), format!("sha256:{}", blob.digest))?)
}

fn descriptor(kind: &str, blob: &Blob) -> serde_json::Value {
    json!({"mediaType": kind, "size": blob.size, "digest": format!("sha256:{}", blob.digest)})
}

fn storage(images: &Path) -> std::path::PathBuf {
    images.join("docker/registry/v2")
}

fn repository(images: &Path, name: &str) -> std::path::PathBuf {
    storage(images).join("repositories").join(name)
}

/// Go's name for the architecture.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
