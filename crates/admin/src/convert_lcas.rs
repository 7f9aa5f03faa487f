//! `[[lcas.plugin]]` from lcas.db.

use super::lcas_db::Plugin;
use super::output::{Output, list, quoted};

/// Where relative names were looked for.
const DIRECTORY: &str = "/etc/lcas/";

/// What stands for a plug-in that has no equivalent: a program that does not exist refuses everybody.
const REPLACE_ME: &str = "/etc/glexec/replace-me";

fn absolute(file: &str) -> String {
    if file.starts_with('/') { file.to_owned() } else { format!("{DIRECTORY}{file}") }
}

/// Writes the plug-ins in their order.
pub fn write(plugins: &[Plugin], out: &mut Output) {
    for Plugin { name, arguments } in plugins {
        let words: Vec<&str> = arguments.split_whitespace().collect();
        let option = |name: &str| {
            words.windows(2).find_map(|pair| match pair {
                [option, value] if option.trim_start_matches('-') == name => Some(*value),
                _ => None,
            })
        };
        let module = name.rsplit('/').next().unwrap_or_default();
        out.table("[[lcas.plugin]]");
        out.comment(&format!("was {module} {arguments}"));
        let file = |default: &str| quoted(&absolute(words.first().copied().unwrap_or(default)));
        match module.trim_end_matches(".mod").trim_start_matches("lcas_") {
            "userban" => {
                out.set("type", "\"userban\"");
                out.set("file", &file("ban_users.db"));
            }
            "userallow" => {
                out.comment("LOOK: later versions used the grid-mapfile instead of their argument");
                out.set("type", "\"userallow\"");
                out.set("file", &file("allowed_users.db"));
            }
            "timeslots" => {
                out.set("type", "\"timeslots\"");
                out.set("file", &file("timeslots.db"));
            }
            "voms" => {
                if let Some(value @ ("no" | "always")) = option("gacl_use_voms_dn") {
                    out.comment(&format!(
                        "LOOK: gacl_use_voms_dn {value}: unknown here; the vomsdir says which server is trusted"
                    ));
                }
                voms(&option, words.iter().any(|word| word.trim_start_matches('-') == "use_user_dn"), out);
            }
            "check_executable" => {
                if option("exec").is_none() {
                    out.comment("LOOK: no -exec, so no command may be run");
                }
                out.set("type", "\"check_executable\"");
                out.set(
                    "commands",
                    &list(option("exec").unwrap_or_default().split(':').filter(|path| !path.is_empty())),
                );
            }
            _ => {
                out.comment("LOOK: it has no equivalent; write a plug-in of your own (docs/reference/plugins.md). Until then nobody may run");
                refuse(out);
            }
        }
    }
}

/// What stands for a database that was not read: whoever was banned there must not get in meanwhile.
pub fn write_unread(out: &mut Output) {
    out.table("[[lcas.plugin]]");
    out.comment("LOOK: it stands for the database of LCAS that was not read. Until it is replaced nobody may run");
    refuse(out);
}

fn refuse(out: &mut Output) {
    out.set("type", "\"exec\"");
    out.set("command", &list([REPLACE_ME]));
}

fn voms<'a>(option: &impl Fn(&str) -> Option<&'a str>, use_user_dn: bool, out: &mut Output) {
    let file = option("authfile").unwrap_or("/etc/grid-security/grid-mapfile");
    let suffix = file.rsplit('.').next().unwrap_or_default();
    out.set("type", "\"voms\"");
    out.set("file", &quoted(&absolute(file)));
    match option("authformat").unwrap_or(if suffix == "gacl" { "gacl" } else { "simple" }) {
        "gacl" => {
            out.set("format", "\"gacl\"");
            if use_user_dn {
                out.comment("use_user_dn: a GACL names people with <person>");
            }
        }
        "simple" => {
            out.set("format", "\"simple\"");
            if use_user_dn {
                out.set("use_user_dn", "true");
            }
        }
        other => {
            out.comment(&format!("LOOK: the format {other} is not known; write the list as GACL"));
            out.set("format", "\"gacl\"");
        }
    }
}
