<?php
// As outcomes.py, for PHP's streams.
[, $ca_file, $crl_file] = $argv;
while (($line = fgets(STDIN)) !== false) {
  [$name, $policy, $host, $port] = explode(' ', trim($line));
  $ssl = ['peer_name' => $host, 'SNI_enabled' => true];
  if ($policy !== 'system') $ssl['cafile'] = $ca_file;
  if ($policy === 'names') $ssl['verify_peer_name'] = false;
  if ($policy === 'lax') $ssl += ['verify_peer' => false, 'allow_self_signed' => true];
  if ($policy === 'lax') $ssl['verify_peer_name'] = false;
  $context = stream_context_create(['ssl' => $ssl, 'http' => ['header' => "Host: $host:$port", 'ignore_errors' => true, 'timeout' => 20]]);
  $said = [];
  set_error_handler(function ($number, $text) use (&$said) { $said[] = strtr($text, "\n", ' '); return true; });
  $body = file_get_contents("https://127.0.0.1:$port/$name/$policy", false, $context);
  restore_error_handler();
  echo "$name $policy ", $body === false ? 'failed: ' . implode(' | ', $said) : explode(' ', $http_response_header[0])[1] . ' ' . strtok($body, "\n"), "\n";
}
