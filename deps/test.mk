# Compiles what the tests need of the sources that deps/install unpacked: the servers of curl's own test suite, into
# deps/fetched/curl-suite, which outlives `make clean`. The Makefile calls it as a make of its own, under the lock of
# deps/install. Only the servers: the curl under test is the one that Debian installed.
#
# curl's configure looks at this machine for what they are compiled with, and is told to leave out whatever they do
# without. runtests.pl reads some of the files that it writes.

SRC := $(CURDIR)/deps/fetched/src
SUITE := deps/fetched/curl-suite

Q := $(if $(V),,@)
WITHOUT := --without-ssl --without-zlib --without-brotli --without-zstd --without-libpsl --without-libidn2 --without-nghttp2 \
  --disable-ldap --disable-manual --disable-shared --disable-dependency-tracking

$(SUITE)/built: $(SRC)/curl/.sha256 deps/test.mk
	@rm -rf $(SUITE)
	@mkdir -p $(SUITE)
	@echo '  compile the servers of curl'
	$(Q)cd $(SUITE) && CFLAGS='-O1 -w' $(SRC)/curl/configure --quiet $(WITHOUT) >configure.output 2>&1 || \
	  { tail -n 20 configure.output >&2; exit 1; }
	+$(Q)$(MAKE) --no-print-directory -C $(SUITE)/tests/server >$(SUITE)/make.output 2>&1 || \
	  { tail -n 20 $(SUITE)/make.output >&2; exit 1; }
	@touch $@
