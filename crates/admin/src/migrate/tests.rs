//! The typical site files.

use super::*;
use glexec_config::isolation::PrivateTmp;

fn convert(glexec: &str, lcmaps: &str, lcas: &str) -> String {
    let files = [("/g", glexec), ("/lcmaps", lcmaps), ("/lcas", lcas)];
    let read = |path: &Path| {
        let found = files.iter().find(|(name, text)| Path::new(name) == path && !text.is_empty());
        found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| "no such file".to_owned())
    };
    let given = |name: &'static str, text: &str| (!text.is_empty()).then_some(Path::new(name));
    migrate(given("/g", glexec), given("/lcmaps", lcmaps), given("/lcas", lcas), &read).unwrap()
}

#[track_caller]
fn loads(text: &str) -> glexec_config::Config {
    assert!(!text.contains("cannot be loaded"), "{text}");
    parse(text).unwrap_or_else(|mistake| panic!("{mistake:?}\n{text}"))
}

#[track_caller]
fn says(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|there| there == *line), "{line} expected in\n{text}");
    }
}

#[test]
fn a_worker_node_with_argus() {
    let glexec = "[glexec]\nsilent_logging = no\nlog_level = 1\nuser_white_list = .pilot, dteam001 ,ops*\nlinger = yes\n\
        user_identity_switch_by = glexec\nuse_lcas = no\nlcmaps_db_file = /lcmaps\n\
        lcmaps_get_account_policy = glexec_get_account\nlcmaps_verify_account_policy = glexec_verify_account\n\
        log_destination = file\nlog_file = /var/log/glexec/glexec_log\npreserve_env_variables = no\n\
        input_lock_mechanism = flock\ntarget_lock_mechanism=fcntl\n[other]\nignored = 1\n";
    let lcmaps = "path = /usr/lib64/lcmaps\n\
        verify_proxy = \"lcmaps_verify_proxy.mod\" \" -certdir /etc/grid-security/certificates/\" \" --allow-limited-proxy\"\n\
        pepc = \"lcmaps_c_pep.mod\" \"--pep-daemon-endpoint-url https://argus:8154/authz\"\n\
        \t\" -resourceid http://authz-interop.org/xacml/resource/resource-type/wn\"\n\
        \t\"--use-pilot-proxy-as-cafile\"\nglexec_get_account:\nverify_proxy -> pepc\n\n\
        glexec_verify_account:\nverify_proxy -> pepc\n";
    let text = convert(glexec, lcmaps, "");
    let config = loads(&text);
    assert_eq!(config.glexec.user_white_list.len(), 3);
    assert!(!config.glexec.use_lcas && config.glexec.linger);
    says(
        &text,
        &[
            "user_white_list = [\".pilot\", \"dteam001\", \"ops*\"]",
            "# silent_logging = no: glexec prints one line where it refuses, nothing else",
            "log_level = 1",
            "target_lock_mechanism = \"fcntl\"",
            "certdir = \"/etc/grid-security/certificates/\"",
            "[lcmaps.plugins.\"pepc\"]",
            "type = \"dummy_bad\"",
            "\"glexec_get_account\" = [\"verify_proxy -> pepc\"]",
        ],
    );
    assert!(text.contains("LOOK: it has no equivalent and refuses until you replace it: a call-out"), "{text}");
    for need in
        ["# DIRAC v6 makes legacy proxies: proxy_types = [\"rfc3820\", \"legacy\"].", "min_proxy_rsa_bits = 1024"]
    {
        assert!(text.contains(need), "what the frameworks' proxies need: {text}");
    }
    // The database is found by its name in glexec.conf, too.
    let read = |path: &Path| match path.to_str() {
        Some("/g") => Ok(glexec.to_owned()),
        Some("/lcmaps") => Ok(lcmaps.to_owned()),
        _ => Err("no such file".to_owned()),
    };
    assert_eq!(migrate(Some(Path::new("/g")), None, None, &read).unwrap(), text);
}

#[test]
fn scas_and_gums() {
    let scas = "verify_proxy = \"lcmaps_verify_proxy.mod\"\nscasclient = \"lcmaps_scas_client.mod\" \"-endpoint https://h:8443\"\n\
        posix_enf = \"lcmaps_posix_enf.mod\" \"-maxuid 1 -maxpgid 1 -maxsgid 32\"\n\
        p:\nverify_proxy -> scasclient\nscasclient -> posix_enf\n";
    let text = convert("", scas, "");
    loads(&text);
    says(
        &text,
        &["lcmaps_get_account_policy = \"p\"", "\"p\" = [\"verify_proxy -> scasclient\", \"scasclient -> posix_enf\"]"],
    );
    let osg = "[glexec]\nlcmaps_db_file=/etc/lcmaps.db\nlcmaps_get_account_policy=glexec\nlog_level=3\nlcmaps_debug_level=3\n\
        lcmaps_voms_verification=no\nuse_lcas=no\nlinger=no\ncreate_target_proxy=no\nuser_white_list=*\n\
        preserve_env_variables = HOME, CONDOR_INHERIT, _CONDOR_EXECUTE, LD_LIBRARY_PATH\nsyslog_facility=LOG_LOCAL1\n";
    let gums = "verifyproxy = \"lcmaps_verify_proxy.mod\"\ngumsclient = \"lcmaps_gums_client.mod\"\n\
        glexectracking = \"lcmaps_glexec_tracking.mod\" \"-exec /usr/sbin/glexec_monitor\"\n\
        gridmapfile = \"lcmaps_localaccount.mod\" \"-gridmap /etc/grid-security/grid-mapfile\"\n\
        glexec:\nverifyproxy -> gridmapfile\ngridmapfile -> glexectracking\n";
    let text = convert(osg, gums, "");
    let config = loads(&text);
    assert!(!config.glexec.linger && !config.glexec.create_target_proxy);
    says(
        &text,
        &[
            "preserve_env_variables = [\"HOME\", \"CONDOR_INHERIT\", \"_CONDOR_EXECUTE\"]",
            "# LOOK: preserve_env_variables = LD_LIBRARY_PATH: never passed on",
            "gridmapfile = \"/etc/grid-security/grid-mapfile\"",
            "syslog_facility = \"LOG_LOCAL1\"",
        ],
    );
}

#[test]
fn a_purely_local_site() {
    let lcmaps = "verify_proxy = \"lcmaps_verify_proxy.mod\" \"--max-proxy-level-ttl=0 2d-13:37 --max-voms-ttl 4d-00:00\"\n\
        vomslocalgroup = \"lcmaps_voms_localgroup.mod\" \"-groupmapfile /etc/grid-security/groupmapfile\" \"-mapmin 0\"\n\
        vomslocalaccount = \"lcmaps_voms_localaccount.mod\" \"-gridmapfile /m\" \"-use_voms_gid\"\n\
        vomspoolaccount = \"lcmaps_voms_poolaccount.mod\" \"-gridmapfile /m\" \"-gridmapdir /d\"\n\
        \"-do_not_use_secondary_gids\" \"--override-inconsistency\" \"-max_mappings_per_credential 1\" \"-strict_poolprefix_match no\"\n\
        localaccount = \"lcmaps_localaccount.mod\" \"-gridmapfile grid-mapfile\"\n\
        poolaccount = \"lcmaps_poolaccount.mod\" \"-gridmapfile /m -gridmapdir /d -disablewildcard\"\n\
        ban = \"lcmaps_ban_dn.mod\" \"-banmapfile /b\"\ntrack = \"lcmaps_tracking_groupid.mod\" \"-min-gid 20000\" \"-max-gid 20100\"\n\
        posix_enf = \"lcmaps_posix_enf.mod\"\n\nlocal:\nverify_proxy -> vomslocalgroup\n\
        vomslocalgroup -> vomslocalaccount | localaccount\nvomslocalaccount -> posix_enf | vomspoolaccount\n\
        vomspoolaccount -> posix_enf\nlocalaccount -> posix_enf | poolaccount\npoolaccount -> posix_enf\n\
        second:\nverify_proxy -> localaccount\n";
    let text = convert("", lcmaps, "");
    loads(&text);
    says(
        &text,
        &[
            "max_proxy_lifetime = \"3697m\"",
            "max_ac_lifetime = \"5760m\"",
            "use_voms_gid = true",
            "do_not_use_secondary_gids = true",
            "override_inconsistency = true",
            "strict_poolprefix_match = false",
            "no_wildcard = true",
            "gridmapfile = \"/etc/lcmaps/grid-mapfile\"",
            "min_gid = 20000",
            "# LOOK: policy second was tried, too, where local failed: join them",
        ],
    );
}

#[test]
fn a_computing_element_with_lcas() {
    let glexec = "[glexec]\nlinger=no\nuser_white_list=tomcat\nomission_private_key_white_list=tomcat\n\
        create_target_proxy=no\npreserve_env_variables=\nuser_identity_switch_by=lcmaps\nbacklog_path=\nfrobnicate=1\n";
    let lcmaps = "good = \"lcmaps_dummy_good.mod\" \"--dummy-username nobody --dummy-group nogroup --dummy-uid 99\"\n\
        vp = \"lcmaps_verify_proxy.mod\"\nwithvoms:\nvp -> good\nstandard:\nvp -> good\n";
    let lcas = "pluginname=lcas_userban.mod,pluginargs=ban_users.db\n\
        pluginname=lcas_voms.mod,pluginargs=\"-vomsdir /etc/grid-security/vomsdir -authfile /etc/lcas/lcas_voms.gacl -authformat gacl\"\n\
        pluginname=lcas_voms.mod,pluginargs=\"-authfile /etc/grid-security/grid-mapfile -use_user_dn\"\n\
        pluginname=lcas_check_executable.mod,pluginargs=\"-exec /bin/cat:/bin/cp:/usr/bin/id\"\n\
        pluginname=lcas_timeslots.mod,pluginargs=\"timeslots.db\"\npluginname=lcas_userallow.mod\npluginname=/opt/lcas_site.mod\n";
    let text = convert(glexec, lcmaps, lcas);
    loads(&text);
    says(
        &text,
        &[
            "omission_private_key_white_list = [\"tomcat\"]",
            "# LOOK: frobnicate = 1: unknown",
            "file = \"/etc/lcas/ban_users.db\"",
            "format = \"gacl\"",
            "format = \"simple\"",
            "use_user_dn = true",
            "commands = [\"/bin/cat\", \"/bin/cp\", \"/usr/bin/id\"]",
            "command = [\"/etc/glexec/replace-me\"]",
            "dummy_username = \"nobody\"",
            "# LOOK: dummy_uid 99: unknown here (an account or a group must be named)",
        ],
    );
}

#[test]
fn what_cannot_be_converted_yet_says_so_and_mistakes_have_a_place() {
    assert!(convert("[glexec]\n", "", "").contains("cannot be loaded yet"), "there is no policy");
    let read = |_: &Path| Ok("[glexec\n".to_owned());
    assert_eq!(migrate(Some(Path::new("/g")), None, None, &read).unwrap_err(), "/g: line 1: a section without ]");
    let read = |_: &Path| Ok("a-b".to_owned());
    assert!(migrate(None, Some(Path::new("/l")), None, &read).unwrap_err().starts_with("/l:1: "));
}

#[test]
fn a_comment_after_a_value_lets_nobody_in() {
    for comment in [" # root and daemon", "\t# root, daemon", "\t## root # daemon", " #root"] {
        let text = convert(&format!("[glexec]\nuser_white_list = .pilot{comment}\n"), "", "");
        says(&text, &["user_white_list = [\".pilot\"]"]);
        assert!(!text.contains("LOOK: user"), "{text}");
    }
    let read = |_: &Path| Ok("# first\nlinger = no\n[glexec]\n".to_owned());
    let error = migrate(Some(Path::new("/g")), None, None, &read).unwrap_err();
    assert_eq!(error, "/g: line 2: a setting outside of all sections");
}

#[test]
fn the_shortest_lifetime_counts_and_no_option_of_verify_proxy_is_lost_silently() {
    let lcmaps = "vp = \"lcmaps_verify_proxy.mod\" \"--max-proxy-level-ttl=0 14d-00:00 --max-proxy-level-ttl=l 0d-12:00\"\n\
        \"--max-voms-ttl soon --discard_private_key_absence --only-enforce-lifetime-checks --allow-limited-proxy\"\n\
        p:\nvp -> lcmaps_posix_enf.mod\n";
    let text = convert("", lcmaps, "");
    loads(&text);
    says(
        &text,
        &[
            "max_proxy_lifetime = \"720m\"",
            "# LOOK: max_proxy_level_ttl=0 14d-00:00: max_proxy_lifetime, the shortest, holds for every proxy",
            "# LOOK: max_voms_ttl soon: no time of the form 2d-13:37, so no limit",
            "# LOOK: discard_private_key_absence : name the callers who may do so in omission_private_key_white_list",
            "# LOOK: only_enforce_lifetime_checks : signatures are always verified",
        ],
    );
    assert!(!text.contains("LOOK: allow_limited"), "{text}");
}

#[test]
fn a_name_may_stand_for_another_variable_or_for_a_module() {
    let lcmaps = "loc = \"lcmaps_localaccount.mod\" \"-gridmapfile /m\"\nsame = loc\nown = lcmaps_dummy_bad.mod\n\
        p:\nown -> loc | same\nloc -> /usr/lib/lcmaps_posix_enf.mod\n~same -> posix_enff\nposix_enff -> lcmaps_posix_enf.mod\n";
    let text = convert("", lcmaps, "");
    let plugin = |name: &str| text.split("\n\n").find(|part| part.contains(&format!("plugins.\"{name}\"]"))).unwrap();
    loads(&text);
    assert!(plugin("same").contains("type = \"localaccount\"\ngridmapfile = \"/m\""), "{text}");
    assert!(plugin("lcmaps_posix_enf.mod").contains("dummy_good"), "{text}");
    assert!(plugin("_usr_lib_lcmaps_posix_enf.mod").contains("dummy_good"), "{text}");
    // A slip of the pen refuses, as it did.
    assert!(plugin("posix_enff").contains("LOOK") && plugin("posix_enff").contains("dummy_bad"), "{text}");
}

#[test]
fn where_the_policy_for_verifying_never_was_there_the_one_for_mapping_stands_for_it() {
    let named = "[glexec]\nlcmaps_get_account_policy = get\nlcmaps_verify_account_policy = verify\n";
    let text = convert(named, "x = \"lcmaps_dummy_bad.mod\"\nget:\nx -> x1\n", "");
    loads(&text);
    says(&text, &["lcmaps_get_account_policy = \"get\"", "lcmaps_verify_account_policy = \"get\""]);
    assert!(text.contains("# LOOK: lcmaps_verify_account_policy = verify: not in lcmaps.db"), "{text}");
    // Of a database that was not read nobody knows what it has.
    says(&convert(named, "", ""), &["lcmaps_verify_account_policy = \"verify\""]);
}

#[test]
fn of_several_policies_that_are_named_the_first_in_the_database_is_taken() {
    let lcmaps = "x = \"lcmaps_dummy_bad.mod\"\na:\nx -> x1\nb:\nx -> x2\n";
    let text = convert("[glexec]\nlcmaps_get_account_policy = b:a\n", lcmaps, "");
    loads(&text);
    says(
        &text,
        &[
            "lcmaps_get_account_policy = \"a\"",
            "lcmaps_verify_account_policy = \"a\"",
            "# LOOK: lcmaps_get_account_policy = b:a: only a, which was tried first, is here: join them",
        ],
    );
}

#[test]
fn what_an_lcas_plugin_could_do_and_cannot_here_is_said() {
    let lcas = "pluginname=lcas_voms.mod,pluginargs=\"-authfile /a -use_user_dn -gacl_use_voms_dn no\"\n\
        pluginname=lcas_check_executable.mod\n";
    let text = convert("", "", lcas);
    for what in ["LOOK: gacl_use_voms_dn no: ", "LOOK: no -exec"] {
        assert!(text.contains(what), "{what} expected in\n{text}");
    }
}

#[test]
fn nothing_in_old_files_breaks_out_of_its_line() {
    let text = convert("[glexec]\nlog_file = /a\"b\\c\nx = \u{7}y\nuser_white_list = a\"b\n", "", "");
    assert!(text.contains("log_file = \"/a\\\"b\\\\c\""), "{text}");
    assert!(text.contains("# LOOK: x =  y: unknown"), "{text}");
}

#[test]
fn a_second_copy_of_a_module_is_the_module() {
    // OSG's, since the C library cannot load one file twice.
    let lcmaps = "gridmapfile = \"lcmaps_localaccount.mod\" \"-gridmap /etc/grid-security/grid-mapfile\"\n\
        defaultmapfile = \"lcmaps_voms_localaccount2.mod\"\n\t\"-gridmap /usr/share/osg/voms-mapfile-default\"\n\
        verifyproxynokey = \"lcmaps_verify_proxy2.mod\" \"--allow-limited-proxy\" \"--discard_private_key_absence\"\n\
        \t\" -certdir /etc/grid-security/certificates\"\ngood = \"lcmaps_dummy_good.mod\"\nbad = \"lcmaps_dummy_bad.mod\"\n\n\
        authorize_only:\nverifyproxynokey -> gridmapfile\ngridmapfile -> good | defaultmapfile\n\
        defaultmapfile -> good | bad\n";
    let text = convert("", lcmaps, "");
    loads(&text);
    says(
        &text,
        &[
            "type = \"voms_localaccount\"",
            "gridmapfile = \"/usr/share/osg/voms-mapfile-default\"",
            "certdir = \"/etc/grid-security/certificates\"",
            "# LOOK: discard_private_key_absence : name the callers who may do so in omission_private_key_white_list",
        ],
    );
    assert_eq!(text.matches("type = \"dummy_bad\"").count(), 1, "{text}");
}

#[test]
fn options_have_all_the_spellings_that_the_c_library_takes() {
    for (option, file) in [("-banmapfile", "/1"), ("-BAN_MAPFILE", "/2"), ("-gridmapfile", "/3"), ("-GRIDMAP", "/4")] {
        for module in ["ban_dn", "ban_fqan"] {
            let lcmaps =
                format!("b = \"lcmaps_{module}.mod\" \"{option} {file}\" \"--disablewildcards\"\np:\nb -> x\n");
            let text = convert("", &lcmaps, "");
            loads(&text);
            says(&text, &[&format!("banmapfile = \"{file}\""), "no_wildcard = true"]);
            assert!(!text.contains("LOOK: gridmap"), "{text}");
        }
    }
    let lcmaps = "p = \"lcmaps_poolaccount.mod\" \"-GRIDMAP /m -GRIDMAPDIR /d --disablewildcard\"\n\
        g = \"lcmaps_voms_poolgroup.mod\" \"-groupmap /g -groupmapdir /e\"\nq:\ng -> p\n";
    let text = convert("", lcmaps, "");
    loads(&text);
    says(
        &text,
        &[
            "gridmapfile = \"/m\"",
            "gridmapdir = \"/d\"",
            "no_wildcard = true",
            "groupmapfile = \"/g\"",
            "groupmapdir = \"/e\"",
        ],
    );
    assert_eq!(text.matches("LOOK").count(), 1, "that of the heading: {text}");
}

#[test]
fn an_lcas_database_that_was_in_use_but_is_not_read_lets_nobody_run() {
    let read = |conf: &'static str| {
        move |path: &Path| match path.to_str() {
            Some("/g") => Ok(conf.to_owned()),
            _ => Err(format!("{}: no such file", path.display())),
        }
    };
    for conf in [
        "[glexec]\nlcas_db_file = /etc/lcas/lcas-glexec.db\n",
        "[glexec]\nuse_lcas = yes\nlcas_db_file = /etc/lcas/lcas-glexec.db\n",
        // The built-in one.
        "[glexec]\nuse_lcas = yes\n",
        "[glexec]\nlinger = yes\n",
    ] {
        let text = migrate(Some(Path::new("/g")), None, None, &read(conf)).unwrap();
        assert!(text.contains("give it with --lcas-db"), "{text}");
        assert!(text.contains("[[lcas.plugin]]") && text.contains("\"/etc/glexec/replace-me\""), "{conf}{text}");
    }
    for conf in ["[glexec]\nuse_lcas = no\n", "[glexec]\nuse_lcas = NO\nlcas_db_file = /etc/lcas/lcas-glexec.db\n"] {
        let text = migrate(Some(Path::new("/g")), None, None, &read(conf)).unwrap();
        assert!(!text.contains("[[lcas.plugin]]") && !text.contains("--lcas-db"), "{text}");
    }
}

#[test]
fn all_fqans_is_understood_and_its_absence_is_told() {
    let db = |option: &str| {
        let module = "\"lcmaps_voms_localaccount.mod\"";
        format!("v = {module} \"-gridmapfile /m {option}\"\nw = \"lcmaps_dummy_bad.mod\"\np:\n~v -> w\n")
    };
    let (with, without) = (convert("", &db("-all-fqans"), ""), convert("", &db(""), ""));
    loads(&with);
    loads(&without);
    let told = |text: &str| text.contains("# LOOK: OSG's build mapped by the first FQAN only");
    assert!(!told(&with) && !with.contains("unknown here") && told(&without), "{with}\n{without}");
}

#[test]
fn an_account_that_nobody_ever_gets_needs_a_look() {
    let db = "g = \"lcmaps_dummy_good.mod\" \"--dummy-username nobody\"\nb = \"lcmaps_dummy_bad.mod\"\np:\ng -> b\n";
    let text = convert("", db, "");
    assert!(text.contains("# LOOK: dummy_username nobody: glexec never runs a payload as nobody"), "{text}");
}

#[test]
fn what_is_converted_already_or_empty_is_said_to_be_so() {
    let why =
        |text: &'static str| migrate(Some(Path::new("/g")), None, None, &move |_| Ok(text.to_owned())).unwrap_err();
    for text in ["[glexec]\nuser_white_list = [\"pilot\"]\n", "[glexec]\nlingr = true\n[lcmaps.policies]\n"] {
        assert!(why(text).starts_with("/g: converted already"), "{text}");
    }
    assert_eq!(why(" \n"), "/g: it is empty");
}

#[test]
fn a_scratch_directory_of_each_payloads_own_stays_one() {
    let local = "l = \"lcmaps_localaccount.mod\" \"-gridmapfile /m\"\n";
    let tmp_of = |db: &str| loads(&convert("", db, "")).isolation.private_tmp;
    let with = format!("{local}m = \"lcmaps_mount_under_scratch.mod\"\np:\nm -> l\n");
    assert_eq!(tmp_of(&with), PrivateTmp::Always);
    says(&convert("", &with, ""), &["private_tmp = \"always\"", "\"p\" = [\"m -> l\"]"]);
    // Where none was, nothing of the kind is written.
    assert_eq!(tmp_of(&format!("{local}g = \"lcmaps_dummy_good.mod\"\np:\ng -> l\n")), PrivateTmp::WhenNeeded);
}
