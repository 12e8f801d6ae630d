//! The kernel's modules that the probe loads: Debian has the drivers of veth
//! and of VLANs as modules, and some of them need others.

use anyhow::{Context as _, Result};

/// What the probe needs of the kernel.
const WANTED: [&str; 2] = ["veth", "8021q"];

/// A module, and what is in its file.
pub struct Module {
    /// Without `.ko`.
    pub name: String,
    /// Not compressed.
    pub octets: Vec<u8>,
}

/// The modules in an order in which they can be loaded: each behind those that
/// it needs. `read` gives the file of a module by its name.
///
/// # Errors
/// When one cannot be read.
pub fn in_order(read: impl Fn(&str) -> Result<Vec<u8>>) -> Result<Vec<Module>> {
    let mut modules = Vec::new();
    for name in WANTED {
        push(name, &read, &mut modules)?;
    }
    Ok(modules)
}

fn push(
    name: &str,
    read: &impl Fn(&str) -> Result<Vec<u8>>,
    modules: &mut Vec<Module>,
) -> Result<()> {
    if modules.iter().any(|module| module.name == name) {
        return Ok(());
    }
    let octets = read(name).with_context(|| format!("the module {name}"))?;
    let needed = needed(&octets).with_context(|| format!("{name} does not say what it needs"))?;
    // No circles: the kernel's own build refuses them.
    for name in &needed {
        push(name, read, modules)?;
    }
    let name = name.to_owned();
    modules.push(Module { name, octets });
    Ok(())
}

/// What a module needs: its section .modinfo holds `depends=`, names between
/// commas, and a zero.
fn needed(module: &[u8]) -> Option<Vec<String>> {
    const FIELD: &[u8] = b"\0depends=";
    let at = module
        .windows(FIELD.len())
        .position(|octets| octets == FIELD)?;
    let value = module.get(at + FIELD.len()..)?.split(|octet| *octet == 0);
    let value = str::from_utf8(value.into_iter().next()?).ok()?;
    let names = value.split(',').filter(|name| !name.is_empty());
    Some(names.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    use anyhow::bail;

    fn read(name: &str) -> Result<Vec<u8>> {
        let needed = match name {
            "veth" | "llc" => "",
            "8021q" => "garp,mrp",
            "garp" => "stp,llc",
            "stp" => "llc",
            "mrp" => bail!("not there"),
            _ => bail!("nobody needs {name}"),
        };
        Ok(format!("\x7fELF\0license=GPL\0depends={needed}\0name={name}\0").into())
    }

    #[test]
    fn modules_come_behind_what_they_need() {
        let modules = in_order(|name| match name {
            "mrp" => Ok(b"\0depends=\0".to_vec()),
            _ => read(name),
        });
        let modules = modules.expect("all are there");
        let names: Vec<_> = modules.iter().map(|module| &module.name[..]).collect();
        assert_eq!(names, ["veth", "llc", "stp", "garp", "mrp", "8021q"]);
        assert_eq!(modules[5].octets, read("8021q").expect("it is there"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = in_order(read).err().expect("mrp is missing");
        assert!(format!("{error:#}").contains("module mrp"), "{error:#}");
        let error = in_order(|_| Ok(Vec::new())).err().expect("no module");
        assert!(error.to_string().contains("veth does not say"), "{error:#}");
    }
}
