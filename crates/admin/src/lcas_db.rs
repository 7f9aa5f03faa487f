//! The grammar of lcas.db: one plug-in a line, `pluginname="name",pluginargs="arguments"`, quotes optional, `#` comments.

/// A plug-in and its arguments.
#[derive(Debug, PartialEq, Eq)]
pub struct Plugin {
    /// Name or path of the module.
    pub name: String,
    /// The arguments as they are written.
    pub arguments: String,
}

/// Reads a database; an error begins with the line's number.
pub fn parse(text: &str) -> Result<Vec<Plugin>, String> {
    let mut plugins = Vec::new();
    for (number, line) in (1_usize..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (mut name, mut arguments) = (None, String::new());
        for (key, value) in pairs(line).map_err(|why| format!("{number}: {why}"))? {
            match key.as_str() {
                "pluginname" => name = Some(value),
                "pluginargs" => arguments = value,
                other => return Err(format!("{number}: an unknown key {other:?}")),
            }
        }
        let name = name.ok_or_else(|| format!("{number}: no pluginname"))?;
        plugins.push(Plugin { name, arguments });
    }
    Ok(plugins)
}

fn pairs(line: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    let mut rest = line;
    while !rest.trim().is_empty() && !rest.trim().starts_with('#') {
        let (key, after) = rest.split_once('=').ok_or("a key without =")?;
        let after = after.trim_start();
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or("a quote without its end")?,
            None => after.split_once(',').map_or((after, ""), |(value, after)| (value, after)),
        };
        pairs.push((key.trim_matches([' ', '\t', ',']).to_ascii_lowercase(), value.trim().to_owned()));
        rest = after.trim_start_matches([' ', '\t', ',']);
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar() {
        let text = "# comment\npluginname=\"lcas_userban.mod\",pluginargs=ban_users.db\n\n\
            pluginname=/usr/lib/lcas_voms.mod , pluginargs=\"-vomsdir /v -authfile \"\n pluginname=\"x\" # y\n";
        let plugin = |name: &str, arguments: &str| Plugin { name: name.into(), arguments: arguments.into() };
        let expected = [
            plugin("lcas_userban.mod", "ban_users.db"),
            plugin("/usr/lib/lcas_voms.mod", "-vomsdir /v -authfile"),
            plugin("x", ""),
        ];
        assert_eq!(parse(text).unwrap(), expected);
        for bad in ["pluginargs=\"x\"", "pluginname", "pluginname=\"x", "name=\"x\""] {
            assert!(parse(&format!("\n{bad}\n")).unwrap_err().starts_with("2: "), "{bad}");
        }
    }
}
