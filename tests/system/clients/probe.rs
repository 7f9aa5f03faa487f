//! The CMS SAM probe (org.cms.glexec.WN-gLExec).

use super::in_both_modes;
use crate::companions;

#[test]
fn cms_probe_succeeds() {
    let probe = r#"
        glexec=${OSG_GLEXEC_LOCATION:-${GLEXEC_LOCATION:-${GLITE_LOCATION:-/usr}}/sbin/glexec}
        dir=`dirname $glexec` here=$PWD
        $glexec -v | grep -q . || exit 10
        export GLEXEC_SOURCE_PROXY=$GLEXEC_CLIENT_CERT GLEXEC_TARGET_PROXY=/tmp/x509up_u`id -u`.glexec.$RANDOM
        [ "`$glexec /usr/bin/id -u`" != `id -u` ] || exit 11
        $glexec /usr/bin/id -G > /dev/null || exit 12
        sticky=`$dir/mkgltempdir` || exit 13
        tmp=`dirname $sticky`
        printf '#!/bin/sh\necho Hello world\n' > $tmp/payload.sh && chmod 755 $tmp/payload.sh || exit 14
        $glexec /bin/cp $tmp/payload.sh $sticky && rm $tmp/payload.sh || exit 15
        cat > $tmp/wrapper.sh <<END
#! /bin/bash
cd $sticky
./payload.sh > payload.out 2> payload.err
chmod a+rx .
chmod a+r ./*
END
        chmod 755 $tmp/wrapper.sh
        $glexec /bin/cp $tmp/wrapper.sh $sticky && rm $tmp/wrapper.sh || exit 16
        $glexec $sticky/wrapper.sh || exit 17
        cp $sticky/payload.out $sticky/payload.err . || exit 18
        $glexec /bin/rm $sticky/*
        $dir/mkgltempdir -r $sticky || exit 19
        cat payload.out"#;
    in_both_modes(|site| {
        companions::install(site);
        site.pilot().own_proxy("pilot").credential("alice").sh(probe).succeeds_with("Hello world\n");
    });
}

#[test]
fn a_source_proxy_is_not_needed() {
    in_both_modes(|site| {
        let pilot = site.pilot().credential("alice");
        let run = pilot.glexec(["sh", "-c", "cat $X509_USER_PROXY"]);
        assert!(run.exits(0).stdout() == site.read(&pilot.client_cert()), "{run}");
    });
}
