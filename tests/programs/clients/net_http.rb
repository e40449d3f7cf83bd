# net/http: all on one session, which makes a new connection when the server closed the last. See tests/lib/answers.sh.
require 'digest'
require 'net/http'
require 'uri'

origin = URI(ARGV.shift)
http = Net::HTTP.new(origin.host, origin.port, nil)
http.read_timeout = 20
http.max_retries = 0
http.start do
  ARGV.each do |answer|
    method, path = answer.match(/^([A-Z]+)(.*)$/).captures
    request = Net::HTTP.const_get(method.capitalize).new(path)
    request.body = '0123456789abcdef' * (1 << 17) if method == 'POST'
    response = http.request(request)
    body = response.body.to_s
    puts "#{answer} #{response.http_version} #{response.code} #{response.message} #{response.to_hash}"
    puts "#{body.bytesize} #{Digest::SHA256.hexdigest(body)}"
  end
end
