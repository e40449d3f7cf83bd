# As outcomes.py, for Ruby.
require 'net/http'
require 'openssl'
ca_file, crl_file = ARGV
def store_for(policy, ca_file, crl_file)
  store = OpenSSL::X509::Store.new
  policy == 'system' ? store.set_default_paths : store.add_file(ca_file)
  if policy == 'crl'
    store.add_crl(OpenSSL::X509::CRL.new(File.read(crl_file)))
    store.flags = OpenSSL::X509::V_FLAG_CRL_CHECK
  end
  store
end
stores = {}
$stdin.each_line do |line|
  name, policy, host, port = line.split
  http = Net::HTTP.new(host, port.to_i)
  http.ipaddr = '127.0.0.1'
  http.use_ssl = true
  http.max_retries = 0
  http.cert_store = stores[policy] ||= store_for(policy, ca_file, crl_file)
  http.verify_hostname = false if policy == 'names'
  http.verify_mode = OpenSSL::SSL::VERIFY_NONE if policy == 'lax'
  outcome = begin
    response = http.get("/#{name}/#{policy}")
    "#{response.code} #{response.body.lines.first.strip}"
  rescue SystemCallError => e
    "#{e.class} #{e.errno} #{e.message}"
  rescue StandardError => e
    "#{e.class} #{e.message}"
  end
  puts "#{name} #{policy} #{outcome}"
end
