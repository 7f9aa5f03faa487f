# slow.pl WHO: a file system (FUSE, linux/fuse.h) with one file, /srv/slow/file, that never answers to a close by those who match
# WHO: "command real-uid effective-uid". Says "ready" when it is mounted, and makes /srv/held when somebody waits.
use strict;
use warnings;

my ($who) = @ARGV;
$^F = 100;    # mount(8) inherits the descriptor
open my $fuse, '+<', '/dev/fuse' or exit 77;
mkdir '/srv/slow';
my $options = 'fd=' . fileno($fuse) . ',rootmode=40000,user_id=0,group_id=0,allow_other';
system('mount', '-i', '-t', 'fuse', '-o', $options, 'slow', '/srv/slow') == 0 or exit 77;
$| = 1;
print "ready\n";

sub attributes {
    my ($inode) = @_;
    return pack 'Q6 I10', $inode, (0) x 8, $inode == 1 ? 040755 : 0100644, 1, 0, 0, 0, 4096, 0;
}

while (1) {
    defined sysread $fuse, my $request, 1 << 20 or next;
    my (undef, $operation, $unique, $node, undef, undef, $pid) = unpack 'I I Q Q I I I', $request;
    my $answer = sub {
        my ($error, $data) = @_;
        syswrite $fuse, pack('I i Q', 16 + length $data, $error, $unique) . $data;
    };
    if ($operation == 26) {    # INIT
        $answer->(0, pack 'I4 S2 I2 S2 I x28', 7, 31, 65536, 0, 12, 12, 65536, 1, 0, 0, 0);
    } elsif ($operation == 1) {    # LOOKUP
        $answer->(0, pack('Q4 I2', 2, 0, 9999, 9999, 0, 0) . attributes(2));
    } elsif ($operation == 3) {    # GETATTR
        $answer->(0, pack('Q I2', 9999, 0, 0) . attributes($node));
    } elsif ($operation == 14) {    # OPEN
        $answer->(0, pack 'Q I2', 1, 0, 0);
    } elsif ($operation == 25) {    # FLUSH
        open my $status, '<', "/proc/$pid/status" or next;
        my $text = join '', <$status>;
        my ($name, $real, $effective) = $text =~ /^Name:\s(\S+).*^Uid:\s(\d+)\s(\d+)/ms;
        if ("$name $real $effective" =~ /^(?:$who)$/) {
            open my $held, '>', '/srv/held';
        } else {
            $answer->(0, '');
        }
    } elsif ($operation == 15 or $operation == 18) {    # READ, RELEASE
        $answer->(0, '');
    } elsif ($operation != 2 and $operation != 42) {    # all but FORGET and BATCH_FORGET, which get no answer
        $answer->(-38, '');
    }
}
