use super::*;

/// What a text gives as `[lcas]` table: an error's kind, message and the text at its place.
fn lcas(text: &str) -> Result<crate::lcas::Plan, (Option<ConfigErrorKind>, String, String)> {
    let place = |span: Option<Range<usize>>| span.map(|span| text[span].to_owned()).unwrap_or_default();
    let raw: Lcas = toml::from_str(text).map_err(|e| (None, e.message().to_owned(), place(e.span())))?;
    raw.check().map_err(|e| (Some(e.kind), e.message, place(e.span)))
}

fn lcmaps(text: &str) -> Result<crate::lcmaps::Plan, (Option<ConfigErrorKind>, String, String)> {
    let place = |span: Option<Range<usize>>| span.map(|span| text[span].to_owned()).unwrap_or_default();
    let raw: Lcmaps = toml::from_str(text).map_err(|e| (None, e.message().to_owned(), place(e.span())))?;
    let name = ("default".to_owned(), None);
    let names = PolicyNames { get_account: name.clone(), verify_account: name };
    raw.check(&names).map_err(|e| (Some(e.kind), e.message, place(e.span)))
}

const INVALID: Option<ConfigErrorKind> = Some(ConfigErrorKind::Invalid);
const NOT_SUPPORTED: Option<ConfigErrorKind> = Some(ConfigErrorKind::NotSupported);

#[test]
fn lcas_plugins() {
    assert!(lcas("").is_ok());
    for good in [
        "type = \"userban\"\nfile = \"/a\"\nsubject = \"both\"",
        "type = \"userallow\"\nfile = \"/a\"\nsubject = \"pilot\"",
        "type = \"voms\"\nfile = \"/a\"",
        "type = \"voms\"\nfile = \"/a\"\nformat = \"gacl\"",
        "type = \"timeslots\"\nfile = \"/a\"",
        "type = \"check_executable\"\ncommands = [\"/a\"]",
        "type = \"exec\"\ncommand = [\"/a\", \"b\"]\ntimeout = \"10s\"",
    ] {
        assert!(lcas(&format!("[[plugin]]\n{good}")).is_ok(), "{good}");
    }
    let table = [
        ("type = \"userban\"", INVALID, "needs file"),
        ("type = \"userban\"\nfile = \"a\"", None, "not an absolute path"),
        ("type = \"userban\"\nfile = \"/a\"\nsubject = \"all\"", None, "unknown variant"),
        ("type = \"userban\"\nfile = \"/a\"\nfiel = 1", None, "unknown field `fiel`"),
        ("type = \"userban\"\nfile = \"/a\"\ntimeout = \"1s\"", INVALID, "timeout is not an option"),
        ("type = \"nope\"", None, "unknown variant `nope`"),
        ("file = \"/a\"", None, "missing field `type`"),
        ("type = \"userallow\"", INVALID, "needs file"),
        ("type = \"voms\"", INVALID, "needs file"),
        ("type = \"voms\"\nfile = \"/a\"\nformat = \"xacml\"", None, "unknown variant"),
        ("type = \"timeslots\"\nformat = \"gacl\"", INVALID, "format is not an option"),
        ("type = \"check_executable\"", INVALID, "needs commands"),
        ("type = \"check_executable\"\ncommands = [\"id\"]", None, "not an absolute path"),
        ("type = \"exec\"", INVALID, "needs command"),
        ("type = \"exec\"\ncommand = []", INVALID, "an empty command"),
        ("type = \"exec\"\ncommand = [\"a\"]", INVALID, "not an absolute path"),
        ("type = \"exec\"\ncommand = [\"/a\"]\ntimeout = \"0s\"", INVALID, "between 1s and 10m"),
        ("type = \"exec\"\ncommand = [\"/a\"]\ntimeout = \"1h\"", INVALID, "between 1s and 10m"),
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
        format!("type = \"poolaccount\"\n{POOL}no_wildcard = true\nmax_mappings_per_credential = 1"),
        format!("type = \"poolaccount\"\n{POOL}disablewildcard = true"),
        "type = \"voms_localgroup\"\ngroupmapfile = \"/m\"\nmapall = true\nmapmin = 1".to_owned(),
        format!("type = \"voms_poolaccount\"\n{POOL}use_voms_gid = true\nuse_account_gid = false"),
        "type = \"voms_localaccount\"\ngridmapfile = \"/m\"\nuse_voms_gid = true".to_owned(),
        "type = \"voms_poolgroup\"\ngroupmapfile = \"/m\"\ngroupmapdir = \"/d\"\nmapall = true".to_owned(),
        "type = \"ban_dn\"\nbanmapfile = \"/m\"\nno_wildcard = true".to_owned(),
        "type = \"ban_fqan\"\nbanmapfile = \"/m\"\ndisablewildcard = true".to_owned(),
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
        ("localaccount", "", INVALID, "needs gridmapfile"),
        ("poolaccount", "gridmapfile = \"/m\"", INVALID, "needs gridmapdir"),
        ("voms_localgroup", "", INVALID, "needs groupmapfile"),
        ("localaccount", "gridmapfile = \"/m\"\nno_wildcard = true", INVALID, "no_wildcard is not an option"),
        ("voms_poolaccount", "mapall = true", INVALID, "mapall is not an option"),
        ("voms_poolaccount", "use_voms_gid = true\nuse_account_gid = true", INVALID, "contradict"),
        ("voms_localaccount", "use_voms_gid = true\nuse_account_gid = true", INVALID, "contradict"),
        ("voms_poolaccount", "require_primary_gid = true\ndo_not_require_primary_gid = true", INVALID, "contradict"),
        ("poolaccount", "max_mappings_per_credential = 2", NOT_SUPPORTED, "not supported yet"),
        ("poolaccount", "max_mappings_per_credential = 0", INVALID, "1 to 9999"),
        ("poolaccount", "max_mappings_per_credential = -1", None, ""),
        ("poolaccount", "override_inconsistency = \"yes\"", None, "expected a boolean"),
        ("poolaccount", "gridmapfile = \"m\"", None, "not an absolute path"),
        ("voms_poolgroup", "groupmapfile = \"/m\"", INVALID, "needs groupmapdir"),
        ("voms_poolgroup", "groupmapfile = \"/m\"\ngridmapdir = \"/d\"", INVALID, "gridmapdir is not an option"),
        ("voms_localaccount", "use_voms_gid = true", INVALID, "needs gridmapfile"),
        ("voms_localaccount", "gridmapfile = \"/m\"\nrequire_primary_gid = true", INVALID, "not an option"),
        ("ban_dn", "no_wildcard = true", INVALID, "needs banmapfile"),
        ("ban_fqan", "gridmapfile = \"/m\"", INVALID, "gridmapfile is not an option"),
        ("tracking_groupid", "min_gid = 5", INVALID, "needs max_gid"),
        ("tracking_groupid", "min_gid = 5\nmax_gid = 4", INVALID, "not below it"),
        ("tracking_groupid", "min_gid = 0\nmax_gid = 4", INVALID, "1 or more"),
        ("dummy_good", "dummy_uid = 1", INVALID, "dummy_username"),
        ("dummy_good", "dummy_gid = 1", INVALID, "dummy_group"),
        ("dummy_good", "dummy_username = \"1000\"", INVALID, "not the name"),
        ("dummy_bad", "mapmin = 1", INVALID, "not an option"),
        ("exec", "command = \"/a\"", None, "expected a sequence"),
        ("posix_enf", "", None, "unknown variant"),
        ("localaccount", "gridmap = \"/m\"", None, "unknown field"),
    ];
    for (kind, options, expected, message) in table {
        let text = format!("[plugins.a]\ntype = \"{kind}\"\n{options}\n[policies]\ndefault = [\"a -> a\"]\n");
        let error = lcmaps(&text).unwrap_err();
        assert_eq!(error.0, expected, "{text}: {error:?}");
        assert!(error.1.contains(message), "{text}: {error:?}");
    }
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
        (format!("[plugins.a]\ntype = \"poolaccount\"\n{POOL}max_mappings_per_credential = 2\n"), "2"),
        (format!("[plugins.a]\n{local}x = 1\n"), "x"),
    ];
    for (text, place) in table {
        assert_eq!(lcmaps(&text).unwrap_err().2, place, "{text}");
    }
    let missing = lcmaps("").unwrap_err();
    assert_eq!(missing.0, INVALID);
    assert!(missing.1.contains("no LCMAPS policy named \"default\""));
}
