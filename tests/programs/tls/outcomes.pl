# As outcomes.py, for Perl.
use strict;
use warnings;
use IO::Socket::INET;
use IO::Socket::SSL;
my ($ca_file, $crl_file) = @ARGV;
$SIG{PIPE} = 'IGNORE';
while (my $line = <STDIN>) {
  my ($name, $policy, $host, $port) = split ' ', $line;
  my $outcome;
  my $plain = IO::Socket::INET->new(PeerHost => '127.0.0.1', PeerPort => $port) or die $!;
  my %options = (SSL_hostname => $host =~ /^[0-9.]+$/ ? '' : $host, SSL_verifycn_name => $host, SSL_verifycn_scheme => 'http');
  $options{SSL_ca_file} = $ca_file if $policy ne 'system';
  $options{SSL_verifycn_scheme} = 'none' if $policy eq 'names';
  $options{SSL_verify_mode} = SSL_VERIFY_NONE if $policy eq 'lax';
  %options = (%options, SSL_check_crl => 1, SSL_crl_file => $crl_file) if $policy eq 'crl';
  if (my $tls = IO::Socket::SSL->start_SSL($plain, %options)) {
    my $sent = print $tls "GET /$name/$policy HTTP/1.1\r\nHost: $host:$port\r\nConnection: close\r\n\r\n";
    my $answer = $sent ? join '', <$tls> : '';
    $outcome = $answer =~ m{^HTTP/1.1 (\d+).*?\r\n\r\n([^\n]*)}s ? "$1 $2" : "no answer: $SSL_ERROR " . ($!+0);
    close $tls;
  } else {
    $outcome = "refused: $SSL_ERROR " . ($! + 0) . " $!";
  }
  print "$name $policy $outcome\n";
}
