#!/bin/bash
# faults.sh: runs a call for each line of stdin and prints one line of what became of it. A line of stdin says whether the fault
# is for every process (-f) or for the first one alone (-q), then what strace is to --inject. What is printed, tabs between: exit status; owner of what the payload wrote; what it wrote; permit records; codes of
# refusals; accounts recorded; lines of the log that are none; pool accounts with a lease; claims; proxies that others may
# read; processes left, or that the call had to be ended; the account of a second call without a fault; the first line on stderr.
# To be run as root in a site of its own; the caller is pilot, the user Bob.
set -u
pool=/etc/grid-security/gridmapdir
log=/var/log/glexec/glexec.log
patience=120
export GLEXEC_CLIENT_CERT=/home/pilot/bob.pem
payload='grep -E "^(Uid|Gid|Groups|CapPrm|CapBnd):" /proc/self/status > /tmp/ran; if test -e /proc/self/fd/8; then echo LEAK >> /tmp/ran; fi'
cd /

while read -r whom inject; do
    rm -rf /tmp/ran $pool $log
    find /tmp -maxdepth 1 -name '*x509up*' -delete
    mkdir -m 755 $pool && touch $pool/t{vo,prd}{001..010}
    began=$SECONDS
    timeout -s KILL $patience strace "$whom" -qq -o /dev/null -u pilot "--inject=$inject" \
        /usr/sbin/glexec sh -c "$payload" 8< /etc/hostname < /dev/null > /root/out 2> /root/err
    status=$?
    owner=$(stat -c %u:%g /tmp/ran 2> /dev/null)
    ran=$(tr -s '\n\t' ',' < /tmp/ran 2> /dev/null)
    permits=$(grep -c 'event=start .*decision=permit' $log 2> /dev/null)
    codes=$(grep -o 'code=[a-z.-]*' $log 2> /dev/null | cut -d= -f2 | sort -u | tr '\n' ' ')
    accounts=$(grep -o 'target_user=[a-z0-9]*' $log 2> /dev/null | cut -d= -f2 | sort -u | tr '\n' ' ')
    lines=$(grep -vcE '^20[0-9-]*T[0-9:.]*Z (worker001|-) glexec\[[0-9]+\]: (event=|call=)' $log 2> /dev/null)
    leases=$(find $pool -name 't*' -links +1 -printf '%f ')$(find $pool -type f ! -name '.*' -printf '%i\n' | sort | uniq -c |
        awk '$1 > 2 { print "TOO-MANY" }')
    claims=$(find $pool -name '.*' -type f -printf 'claim ')
    proxies=$(find /tmp -name '*x509up*' ! -perm 600 -printf '%M ')
    left=$(ps -eo uid=,args= | awk '$1 >= 3000 && $1 < 6000 || /sbin\/glexec/ && !/awk/' | tr '\n' ' ')
    [ $((SECONDS - began)) -lt $patience ] || left="a call without end $left"
    again=''
    if [ -n "$leases$claims" ]; then
        again=$(setpriv --reuid=pilot --regid=pilots --clear-groups /usr/sbin/glexec id -un 2>&1 < /dev/null | head -n 1)
    fi
    said=$(tr '\t' ' ' < /root/err | grep -v '^strace:' | head -n 1)
    printf '%s\t' "$status" "$owner" "$ran" "${permits:-0}" "$codes" "$accounts" "${lines:-0}" "$leases" "$claims" "$proxies" \
        "$left" "$again"
    printf '%s\n' "$said"
done
