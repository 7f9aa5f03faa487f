use super::*;
use crate::lcas::table::Lcas;
use crate::lcmaps::table::{Lcmaps, PolicyNames};

/// What a text gives as `[lcas]` table: an error's kind, message and the text at its place.
fn lcas(text: &str) -> Result<crate::lcas::Plan, (By, String, String)> {
    let place = |span: Option<Range<usize>>| span.map(|span| text[span].to_owned()).unwrap_or_default();
    let raw: Lcas = toml::from_str(text).map_err(|e| (By::Reader, e.message().to_owned(), place(e.span())))?;
    raw.check().map_err(|e| (By::Check, e.message, place(e.span)))
}

fn lcmaps(text: &str) -> Result<crate::lcmaps::Plan, (By, String, String)> {
    let place = |span: Option<Range<usize>>| span.map(|span| text[span].to_owned()).unwrap_or_default();
    let raw: Lcmaps = toml::from_str(text).map_err(|e| (By::Reader, e.message().to_owned(), place(e.span())))?;
    let name = ("default".to_owned(), None);
    let names = PolicyNames { get_account: name.clone(), verify_account: name };
    raw.check(&names).map_err(|e| (By::Check, e.message, place(e.span)))
}

/// Who finds a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// The TOML reader.
    Reader,
    /// The checks after it.
    Check,
}

#[test]
fn lcas_plugins() {
    assert!(lcas("").is_ok());
    for good in [
        "type = \"userban\"\nfile = \"/a\"\nsubject = \"both\"",
        "type = \"userallow\"\nfile = \"/a\"\nsubject = \"pilot\"",
        "type = \"voms\"\nfile = \"/a\"",
        "type = \"voms\"\nfile = \"/a\"\nformat = \"gacl\"",
        "type = \"voms\"\nfile = \"/a\"\nuse_user_dn = true",
        "type = \"voms\"\nfile = \"/a\"\nformat = \"gacl\"\nuse_user_dn = false",
        "type = \"timeslots\"\nfile = \"/a\"",
        "type = \"check_executable\"\ncommands = [\"/a\"]",
        "type = \"exec\"\ncommand = [\"/a\", \"b\"]\ntimeout = \"10s\"",
    ] {
        assert!(lcas(&format!("[[plugin]]\n{good}")).is_ok(), "{good}");
    }
    let table = [
        ("type = \"userban\"", By::Check, "needs file"),
        ("type = \"userban\"\nfile = \"a\"", By::Reader, "not an absolute path"),
        ("type = \"userban\"\nfile = \"/a\"\nsubject = \"all\"", By::Reader, "unknown variant"),
        ("type = \"userban\"\nfile = \"/a\"\nfiel = 1", By::Reader, "unknown field `fiel`"),
        ("type = \"userban\"\nfile = \"/a\"\ntimeout = \"1s\"", By::Check, "timeout is not an option"),
        ("type = \"nope\"", By::Reader, "unknown variant `nope`"),
        ("file = \"/a\"", By::Reader, "missing field `type`"),
        ("type = \"userallow\"", By::Check, "needs file"),
        ("type = \"voms\"", By::Check, "needs file"),
        ("type = \"voms\"\nfile = \"/a\"\nformat = \"xacml\"", By::Reader, "unknown variant"),
        ("type = \"voms\"\nfile = \"/a\"\nformat = \"gacl\"\nuse_user_dn = true", By::Check, "<person>"),
        ("type = \"userban\"\nfile = \"/a\"\nuse_user_dn = true", By::Check, "use_user_dn is not an option"),
        ("type = \"timeslots\"\nformat = \"gacl\"", By::Check, "format is not an option"),
        ("type = \"check_executable\"", By::Check, "needs commands"),
        ("type = \"check_executable\"\ncommands = [\"id\"]", By::Reader, "not an absolute path"),
        ("type = \"exec\"", By::Check, "needs command"),
        ("type = \"exec\"\ncommand = []", By::Check, "an empty command"),
        ("type = \"exec\"\ncommand = [\"a\"]", By::Check, "not an absolute path"),
        ("type = \"exec\"\ncommand = [\"/a\"]\ntimeout = \"0s\"", By::Check, "between 1s and 10m"),
        ("type = \"exec\"\ncommand = [\"/a\"]\ntimeout = \"1h\"", By::Check, "between 1s and 10m"),
    ];
    for (text, kind, message) in table {
        let error = lcas(&format!("[[plugin]]\n{text}\n")).unwrap_err();
        assert_eq!(error.0, kind, "{text}: {error:?}");
        assert!(error.1.contains(message), "{text}: {error:?}");
    }
}

const POOL: &str = "gridmapfile = \"/m\"\ngridmapdir = \"/d\"\n";

#[test]
fn lcmaps_plugins_that_are_supported() {
    for plugin in [
        "type = \"localaccount\"\ngridmapfile = \"/m\"".to_owned(),
        format!("type = \"poolaccount\"\n{POOL}no_wildcard = true\nmax_mappings_per_credential = 9999"),
        format!("type = \"poolaccount\"\n{POOL}disablewildcard = true"),
        "type = \"voms_localgroup\"\ngroupmapfile = \"/m\"\nmapall = true\nmapmin = 1".to_owned(),
        format!("type = \"voms_poolaccount\"\n{POOL}use_voms_gid = true\nuse_account_gid = false"),
        "type = \"voms_localaccount\"\ngridmapfile = \"/m\"\nuse_voms_gid = true".to_owned(),
        "type = \"voms_poolgroup\"\ngroupmapfile = \"/m\"\ngroupmapdir = \"/d\"\nmapall = true".to_owned(),
        "type = \"ban_dn\"\nbanmapfile = \"/m\"\nno_wildcard = true".to_owned(),
        "type = \"ban_fqan\"\nbanmapfile = \"/m\"\ndisablewildcards = true".to_owned(),
        "type = \"tracking_groupid\"\nmin_gid = 20000\nmax_gid = 20100".to_owned(),
        "type = \"dummy_good\"\ndummy_username = \"nobody\"\ndummy_group = \"g\"\ndummy_sec_group = \"h\"".to_owned(),
        "type = \"dummy_bad\"".to_owned(),
        "type = \"exec\"\ncommand = [\"/a\"]".to_owned(),
    ] {
        let text = format!("[plugins.a-b]\n{plugin}\n[plugins.c]\n{plugin}\n[policies]\ndefault = [\"a-b -> c\"]\n");
        assert_eq!(lcmaps(&text).map(|_| ()), Ok(()), "{plugin}");
    }
}

#[test]
fn lcmaps_plugins_that_are_refused() {
    let table = [
        ("localaccount", "", By::Check, "needs gridmapfile"),
        ("poolaccount", "gridmapfile = \"/m\"", By::Check, "needs gridmapdir"),
        ("voms_localgroup", "", By::Check, "needs groupmapfile"),
        ("localaccount", "gridmapfile = \"/m\"\nno_wildcard = true", By::Check, "no_wildcard is not an option"),
        ("voms_poolaccount", "mapall = true", By::Check, "mapall is not an option"),
        ("voms_poolaccount", "use_voms_gid = true\nuse_account_gid = true", By::Check, "contradict"),
        ("voms_localaccount", "use_voms_gid = true\nuse_account_gid = true", By::Check, "contradict"),
        ("voms_localaccount", "use_voms_gid = false\nuse_account_gid = false", By::Check, "contradict"),
        ("voms_poolaccount", "require_primary_gid = true\ndo_not_require_primary_gid = true", By::Check, "contradict"),
        ("poolaccount", "max_mappings_per_credential = 10000", By::Check, "1 to 9999"),
        ("poolaccount", "max_mappings_per_credential = 0", By::Check, "1 to 9999"),
        ("poolaccount", "max_mappings_per_credential = -1", By::Reader, ""),
        ("poolaccount", "override_inconsistency = \"yes\"", By::Reader, "expected a boolean"),
        ("poolaccount", "gridmapfile = \"m\"", By::Reader, "not an absolute path"),
        ("voms_poolgroup", "groupmapfile = \"/m\"", By::Check, "needs groupmapdir"),
        ("voms_poolgroup", "groupmapfile = \"/m\"\ngridmapdir = \"/d\"", By::Check, "gridmapdir is not an option"),
        ("voms_localaccount", "use_voms_gid = true", By::Check, "needs gridmapfile"),
        ("voms_localaccount", "gridmapfile = \"/m\"\nrequire_primary_gid = true", By::Check, "not an option"),
        ("ban_dn", "no_wildcard = true", By::Check, "needs banmapfile"),
        ("ban_fqan", "gridmapfile = \"/m\"", By::Check, "gridmapfile is not an option"),
        ("tracking_groupid", "min_gid = 5", By::Check, "needs max_gid"),
        ("tracking_groupid", "min_gid = 5\nmax_gid = 4", By::Check, "not below it"),
        ("tracking_groupid", "min_gid = 0\nmax_gid = 4", By::Check, "1 or more"),
        ("dummy_good", "dummy_uid = 1", By::Check, "dummy_username"),
        ("dummy_good", "dummy_gid = 1", By::Check, "dummy_group"),
        ("dummy_good", "dummy_username = \"1000\"", By::Check, "not the name"),
        ("dummy_bad", "mapmin = 1", By::Check, "not an option"),
        ("exec", "command = \"/a\"", By::Reader, "expected a sequence"),
        ("posix_enf", "", By::Reader, "unknown variant"),
        ("localaccount", "gridmap = \"/m\"", By::Reader, "unknown field"),
    ];
    for (kind, options, expected, message) in table {
        let text = format!("[plugins.a]\ntype = \"{kind}\"\n{options}\n[policies]\ndefault = [\"a -> a\"]\n");
        let error = lcmaps(&text).unwrap_err();
        assert_eq!(error.0, expected, "{text}: {error:?}");
        assert!(error.1.contains(message), "{text}: {error:?}");
    }
}

#[test]
fn a_flag_that_is_false_is_its_opposite() {
    let plugin = |kind: &str, options: &str| {
        let more = if kind == "voms_poolaccount" { "gridmapdir = \"/d\"\n" } else { "" };
        let plugin = format!("[plugins.a]\ntype = \"{kind}\"\ngridmapfile = \"/m\"\n{more}{options}\n");
        lcmaps(&format!("{plugin}[policies]\ndefault = [\"a -> b\"]\n[plugins.b]\ntype = \"dummy_good\"\n"))
            .unwrap_or_else(|error| panic!("{options}: {error:?}"))
            .plugins
            .remove("a")
            .unwrap()
    };
    for (one, other) in [
        ("use_account_gid = false", "use_voms_gid = true"),
        ("use_voms_gid = false", "use_account_gid = true"),
        ("add_primary_gid_from_mapped_account = false", "do_not_add_primary_gid_from_mapped_account = true"),
        ("do_not_add_primary_gid_from_mapped_account = false", "add_primary_gid_from_mapped_account = true"),
        ("add_secondary_gids_from_mapped_account = false", "do_not_add_secondary_gids_from_mapped_account = true"),
        ("do_not_add_secondary_gids_from_mapped_account = false", "add_secondary_gids_from_mapped_account = true"),
    ] {
        for kind in ["voms_localaccount", "voms_poolaccount"] {
            assert_eq!(plugin(kind, one), plugin(kind, other), "{kind} {one}");
        }
    }
    let required = |options| plugin("voms_poolaccount", options);
    assert_eq!(required("do_not_require_primary_gid = false"), required("require_primary_gid = true"));
    assert_ne!(required("require_primary_gid = true"), required(""));
    let same = |kind: &str, options: &str| assert_eq!(plugin(kind, options), plugin(kind, ""), "{kind} {options}");
    same("voms_localaccount", "use_account_gid = true\nuse_voms_gid = false");
    same("voms_poolaccount", "use_account_gid = false\ndo_not_require_primary_gid = true");
}

#[test]
fn errors_have_a_place() {
    let local = "type = \"localaccount\"\ngridmapfile = \"/m\"\n";
    let table = [
        (format!("[plugins.a]\n{local}mapmin = 3\n"), "3"),
        (format!("[plugins.\"a b\"]\n{local}"), "\"a b\""),
        (format!("[plugins.a]\n{local}[policies]\nx = [\"a -> b\"]\n"), "\"a -> b\""),
        (format!("[plugins.a]\n{local}[policies]\nx = []\n"), "[]"),
        (format!("[plugins.a]\n{local}[policies]\n\"x y\" = [\"a -> a\"]\n"), "\"x y\""),
        (format!("[plugins.a]\ntype = \"poolaccount\"\n{POOL}max_mappings_per_credential = 0\n"), "0"),
        (format!("[plugins.a]\n{local}x = 1\n"), "x"),
    ];
    for (text, place) in table {
        assert_eq!(lcmaps(&text).unwrap_err().2, place, "{text}");
    }
    let missing = lcmaps("").unwrap_err();
    assert_eq!(missing.0, By::Check);
    assert!(missing.1.contains("no LCMAPS policy named \"default\""));
}
