use super::*;
use crate::lcas::table::Lcas;
use crate::lcmaps::table::{Lcmaps, PolicyNames};

/// What a text gives as `[lcas]` table: an error's message and the text at its place.
fn lcas(text: &str) -> Result<crate::lcas::Plan, (String, String)> {
    read::<Lcas, _>(text, super::lcas, Lcas::check)
}

fn lcmaps(text: &str) -> Result<crate::lcmaps::Plan, (String, String)> {
    let name = ("default".to_owned(), None);
    let names = PolicyNames { get_account: name.clone(), verify_account: name };
    read::<Lcmaps, _>(text, super::lcmaps, |table| table.check(&names))
}

fn read<'t, Table: serde::Deserialize<'t>, Plan>(
    text: &'t str,
    by_type: impl Fn(&mut DeTable<'t>) -> Result<(), ConfigError>,
    check: impl Fn(&Table) -> Result<Plan, ConfigError>,
) -> Result<Plan, (String, String)> {
    let place = |span: Option<Range<usize>>| span.map(|span| text[span].to_owned()).unwrap_or_default();
    let of_check = |error: ConfigError| (error.message, place(error.span));
    let mut root = DeTable::parse(text).unwrap();
    by_type(root.get_mut()).map_err(of_check)?;
    let table = Table::deserialize(toml::Deserializer::from(root));
    check(&table.map_err(|error| (error.message().to_owned(), place(error.span())))?).map_err(of_check)
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
        ("type = \"userban\"", "missing field `file`"),
        ("type = \"userban\"\nfile = \"a\"", "not an absolute path"),
        ("type = \"userban\"\nfile = \"/a\"\nsubject = \"all\"", "unknown variant"),
        ("type = \"userban\"\nfile = \"/a\"\nfiel = 1", "fiel"),
        ("type = \"userban\"\nfile = \"/a\"\ntimeout = \"1s\"", "unexpected keys in table: timeout"),
        ("type = \"nope\"", "unknown variant `nope`"),
        ("file = \"/a\"", "needs a type"),
        ("type = \"userallow\"", "missing field `file`"),
        ("type = \"voms\"", "missing field `file`"),
        ("type = \"voms\"\nfile = \"/a\"\nformat = \"xacml\"", "unknown variant"),
        ("type = \"voms\"\nfile = \"/a\"\nformat = \"gacl\"\nuse_user_dn = true", "<person>"),
        ("type = \"userban\"\nfile = \"/a\"\nuse_user_dn = true", "unexpected keys in table: use_user_dn"),
        ("type = \"timeslots\"\nformat = \"gacl\"", "unexpected keys in table: format"),
        ("type = \"check_executable\"", "missing field `commands`"),
        ("type = \"check_executable\"\ncommands = [\"id\"]", "not an absolute path"),
        ("type = \"exec\"", "missing field `command`"),
        ("type = \"exec\"\ncommand = []", "an empty command"),
        ("type = \"exec\"\ncommand = [\"a\"]", "not an absolute path"),
        ("type = \"exec\"\ncommand = [\"/a\"]\ntimeout = \"0s\"", "between 1s and 10m"),
        ("type = \"exec\"\ncommand = [\"/a\"]\ntimeout = \"1h\"", "between 1s and 10m"),
    ];
    for (text, message) in table {
        let error = lcas(&format!("[[plugin]]\n{text}\n")).unwrap_err();
        assert!(error.0.contains(message), "{text}: {error:?}");
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
        ("localaccount", "", "missing field `gridmapfile`"),
        ("poolaccount", "gridmapfile = \"/m\"", "missing field `gridmapdir`"),
        ("voms_localgroup", "", "missing field `groupmapfile`"),
        ("localaccount", "gridmapfile = \"/m\"\nno_wildcard = true", "unknown field `no_wildcard`"),
        ("voms_poolaccount", "gridmapdir = \"/d\"\nmapall = true", "unknown field `mapall`"),
        ("voms_poolaccount", "gridmapdir = \"/d\"\nuse_voms_gid = true\nuse_account_gid = true", "contradict"),
        ("voms_localaccount", "use_voms_gid = true\nuse_account_gid = true", "contradict"),
        ("voms_localaccount", "use_voms_gid = false\nuse_account_gid = false", "contradict"),
        (
            "voms_poolaccount",
            "gridmapdir = \"/d\"\nrequire_primary_gid = true\ndo_not_require_primary_gid = true",
            "contradict",
        ),
        ("poolaccount", "gridmapdir = \"/d\"\nmax_mappings_per_credential = 10000", "1 to 9999"),
        ("poolaccount", "gridmapdir = \"/d\"\nmax_mappings_per_credential = 0", "1 to 9999"),
        ("poolaccount", "gridmapdir = \"/d\"\nmax_mappings_per_credential = -1", ""),
        ("poolaccount", "gridmapdir = \"/d\"\noverride_inconsistency = \"yes\"", "expected a boolean"),
        ("poolaccount", "gridmapdir = \"/d\"\ngridmapfile = \"m\"", "not an absolute path"),
        ("voms_poolgroup", "groupmapfile = \"/m\"", "missing field `groupmapdir`"),
        (
            "voms_poolgroup",
            "groupmapfile = \"/m\"\ngroupmapdir = \"/d\"\ngridmapdir = \"/d\"",
            "unknown field `gridmapdir`",
        ),
        ("voms_localaccount", "use_voms_gid = true", "missing field `gridmapfile`"),
        ("voms_localaccount", "gridmapfile = \"/m\"\nrequire_primary_gid = true", "unknown field"),
        ("ban_dn", "no_wildcard = true", "missing field `banmapfile`"),
        ("ban_fqan", "gridmapfile = \"/m\"", "unknown field `gridmapfile`"),
        ("tracking_groupid", "min_gid = 5", "missing field `max_gid`"),
        ("tracking_groupid", "min_gid = 5\nmax_gid = 4", "not below it"),
        ("tracking_groupid", "min_gid = 0\nmax_gid = 4", "1 or more"),
        ("dummy_good", "dummy_uid = 1", "dummy_username"),
        ("dummy_good", "dummy_gid = 1", "dummy_group"),
        ("dummy_good", "dummy_username = \"1000\"", "not the name"),
        ("dummy_bad", "mapmin = 1", "expected empty table"),
        ("exec", "command = \"/a\"", "expected a sequence"),
        ("posix_enf", "", "unknown variant"),
        ("localaccount", "gridmap = \"/m\"", "unknown field"),
        ("localaccount", "gridmapfile = \"/m\"\n\" gids\" = 1", "unknown field"),
        ("voms_localaccount", "gridmapfile = \"/m\"\n\" gids\" = 1", "unknown field"),
    ];
    for (kind, options, message) in table {
        let text = format!("[plugins.a]\ntype = \"{kind}\"\n{options}\n[policies]\ndefault = [\"a -> a\"]\n");
        let error = lcmaps(&text).unwrap_err();
        assert!(error.0.contains(message), "{text}: {error:?}");
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
fn who_writes_an_unknown_option_is_told_those_of_the_type() {
    let text = "[lcmaps.plugins.a]\ntype = \"voms_poolgroup\"\ngroupmapfile = \"/m\"\ngroupmapdir = \"/d\"\nx = 1\n";
    let known = crate::parse::parse(text).unwrap_err().known;
    assert!(known.iter().any(|option| option == "mapall") && known.iter().any(|option| option == "groupmapdir"));
    assert!(!known.iter().any(|option| option == "gridmapdir" || option.contains(' ')), "{known:?}");
}

#[test]
fn errors_have_a_place() {
    let local = "type = \"localaccount\"\ngridmapfile = \"/m\"\n";
    let table = [
        (format!("[plugins.a]\n{local}mapmin = 3\n"), "mapmin"),
        (format!("[plugins.\"a b\"]\n{local}"), "\"a b\""),
        (format!("[plugins.a]\n{local}[policies]\nx = [\"a -> b\"]\n"), "\"a -> b\""),
        (format!("[plugins.a]\n{local}[policies]\nx = []\n"), "[]"),
        (format!("[plugins.a]\n{local}[policies]\n\"x y\" = [\"a -> a\"]\n"), "\"x y\""),
        (format!("[plugins.a]\ntype = \"poolaccount\"\n{POOL}max_mappings_per_credential = 0\n"), "0"),
        (format!("[plugins.a]\n{local}x = 1\n"), "x"),
    ];
    for (text, place) in table {
        assert_eq!(lcmaps(&text).unwrap_err().1, place, "{text}");
    }
    let missing = lcmaps("").unwrap_err();
    assert!(missing.0.contains("no LCMAPS policy named \"default\""));
}
