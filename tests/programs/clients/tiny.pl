# HTTP::Tiny, on one connection where the server allows it. See tests/lib/answers.sh.
use strict;
use warnings;
use Digest::SHA 'sha256_hex';
use HTTP::Tiny;

my $origin = shift;
my $http = HTTP::Tiny->new(timeout => 20);
for my $answer (@ARGV) {
    my ($method, $path) = $answer =~ /^([A-Z]+)(.*)$/;
    my %options = $method eq 'POST' ? (content => '0123456789abcdef' x (1 << 17)) : ();
    my $response = $http->request($method, $origin . $path, \%options);
    my $content = $response->{content} // q();
    my %headers = %{ $response->{headers} };
    my @headers = map { ref $headers{$_} ? "$_=[@{ $headers{$_} }]" : "$_=$headers{$_}" } sort keys %headers;
    print "$answer $response->{status} $response->{reason} $response->{url} @headers\n";
    print length $content, ' ', sha256_hex($content), "\n";
}
