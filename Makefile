# Builds libcassette.so (the hooks), libcassette-engine.so (all the rest) and the `cassette` command.
#
# Sources are found by wildcard: dropping a file into a layer's folder is enough. `make help` lists the targets. A build
# elsewhere: `make BUILD=/some/folder`; with another compiler: `make CXX=clang++-14 CC=clang-14`.

BUILD ?= build
PREFIX ?= /usr/local
CXXFLAGS ?= -O2 -g
CFLAGS ?= -O2 -g

all:
.PHONY: all deps demo test test-suites bench soak fuzz test-sanitize test-sanitize-address test-sanitize-thread install uninstall clean format lint help FORCE
.DELETE_ON_ERROR:
# Without built-in rules make has fewer of its own ideas, and starts faster.
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
# A line a file; `make V=1` shows the commands.
Q := $(if $(V),,@)
comma := ,

# ---- sources ---------------------------------------------------------------------------------------------------------

PARSER := $(wildcard parser/*.cc)
STORE := $(wildcard store/*.cc store/*/*.cc)
HOOKS := $(wildcard preload/hooks/*.cc preload/hooks/*/*.cc)
ENGINE := $(wildcard preload/engine/*.cc preload/engine/*/*.cc)
TLS := $(wildcard preload/tls/*.cc)
HEAP := $(wildcard preload/heap/*.cc)
CLI := $(wildcard cli/*.cc cli/*/*.cc)
UNIT := $(wildcard tests/unit/*.cc tests/unit/*/*.cc)
BENCH := $(wildcard tests/bench/*.c)
STORE_BENCH := $(wildcard tests/bench/*.cc)
PROGRAMS := $(wildcard tests/programs/*.c tests/programs/*/*.c)
CONCURRENCY := $(wildcard tests/concurrency/*.cc)
SOURCES := $(PARSER) $(STORE) $(HOOKS) $(ENGINE) $(TLS) $(HEAP) $(CLI) $(UNIT) $(BENCH) $(STORE_BENCH) $(PROGRAMS) $(CONCURRENCY)

OBJ := $(BUILD)/obj
objects = $(1:%=$(OBJ)/%.o)

# ---- products: a layer that has no source yet is left out ------------------------------------------------------------

LIBRARIES := $(if $(STORE),$(BUILD)/libstore.a) $(if $(PARSER),$(BUILD)/libparser.a)
PRODUCTS := $(LIBRARIES) $(if $(HOOKS),$(BUILD)/libcassette.so) $(if $(ENGINE),$(BUILD)/libcassette-engine.so) \
  $(if $(TLS),$(BUILD)/libcassette-tls.so) \
  $(if $(CLI),$(BUILD)/cassette)
TEST_PROGRAMS := $(foreach f,$(PROGRAMS),$(BUILD)/tests/programs/$(basename $(notdir $(f)))) \
  $(BUILD)/tests/programs/openssl_static
CONCURRENT := $(foreach f,$(CONCURRENCY),$(BUILD)/tests/concurrency/$(basename $(notdir $(f))))
TEST_PRODUCTS := $(if $(UNIT),$(BUILD)/tests/unit) $(TEST_PROGRAMS) $(CONCURRENT) $(CONCURRENT:%=%_tsan)
BENCH_PRODUCTS := $(foreach f,$(BENCH) $(STORE_BENCH),$(BUILD)/tests/bench/$(basename $(notdir $(f))))

all: $(PRODUCTS)

# ---- dependencies (see deps/README.md) -------------------------------------------------------------------------------

FETCHED := deps/fetched
# What the library is made of: a new client for the tests compiles nothing anew.
BUILD_PINS := $(shell grep -vE '^(test|bench|lint|fuzz|\#)' deps/pins.tsv | cksum)
THIRD_PARTY := $(patsubst %,$(FETCHED)/lib/lib%.a,llhttp simdjson yaml-cpp zstddec z) \
  -l:libbrotlidec.a -l:libbrotlicommon.a

$(FETCHED)/%.installed: deps/install deps/pins.tsv
	@deps/install $*

# Under the lock of deps/install, because two runs of make in one tree must not write the same archives.
$(FETCHED)/compiled: deps/build.mk deps/pins.tsv | $(FETCHED)/build.installed
	+$(Q)flock $(FETCHED)/lock $(MAKE) --no-print-directory -f deps/build.mk
	@touch $@

$(FETCHED)/curl-suite/built: deps/test.mk | $(FETCHED)/test.installed
	+$(Q)flock $(FETCHED)/lock $(MAKE) --no-print-directory -f deps/test.mk

# Looks again at what is installed, whatever the stamp files say.
deps:
	deps/install build
	deps/install test
	deps/install fuzz

# ---- how each file is compiled ---------------------------------------------------------------------------------------

INCLUDES := -I. -isystem $(FETCHED)/include
# Sections let the linker drop what is unused, above all of the third-party libraries.
COMMON_FLAGS := -Wall -Wextra -Wpedantic -Werror -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections -pthread
CXX_FLAGS = $(INCLUDES) -std=c++20 $(COMMON_FLAGS) $(CXXFLAGS) $(CPPFLAGS)
C_FLAGS = $(INCLUDES) -D_GNU_SOURCE $(COMMON_FLAGS) $(CFLAGS) $(CPPFLAGS)
# The hooks live in every process, libstdc++ or not: they must need nothing of it. Their thread-local variables are
# there from the start (initial-exec), since a hook may be called where memory cannot be allocated.
# Fortification would replace the functions that they define by inline ones of the same name.
HOOKS_FLAGS := -fno-exceptions -fno-rtti -fno-threadsafe-statics -ftls-model=initial-exec -U_FORTIFY_SOURCE
# What no byte passes by is small rather than fast: the library is mapped into every process.
COLD_HOOKS := preload/hooks/names/% preload/hooks/processes/% preload/hooks/library.cc preload/hooks/load_engine.cc preload/hooks/real.cc
# The programs under test are plain C as users write it: no hardening, hardly optimised.
PROGRAM_FLAGS := -I. -D_GNU_SOURCE -Wall -O1 -g -pthread

# $(call compile,SOURCE): the command line for one file, without -c and -o.
compile = $(if $(filter tests/programs/%,$(1)),$(CC) $(PROGRAM_FLAGS),$(if $(filter %.c,$(1)),$(CC) $(C_FLAGS),$(CXX) \
  $(CXX_FLAGS) $(if $(filter preload/hooks/%,$(1)),$(HOOKS_FLAGS) $(if $(filter $(COLD_HOOKS),$(1)),-Os))))

# ---- how each product is linked --------------------------------------------------------------------------------------

# Nothing unresolved is left to be found in the program's own libraries, nothing of a static archive is exported, all
# is bound at load time (a lazy binding in the middle of a hook could re-enter it), and no text needs relocation.
SHARED_FLAGS := -shared -Wl,--gc-sections -Wl,-z,defs -Wl,-z,now -Wl,-z,text -Wl,--exclude-libs,ALL
STATIC_CXX := -static-libstdc++ -static-libgcc
# All that an object of the engine allocates, the libraries in it included, goes through preload/heap.
OWN_HEAP := $(foreach f,malloc calloc realloc aligned_alloc free,-Wl,--wrap=$(f))
# And certificates are judged by the program's clock.
OWN_CLOCK := -Wl,--wrap=time
# The machine's clock and identity, as other preloaded libraries do not show them (store/machine.cc).
BY_MACHINE := $(foreach f,clock_gettime nanosleep stat lstat fstat fstatat utimensat getpid getuid geteuid getgid getegid,-Wl,--wrap=$(f))
# What a program of the unit tests has of its own, and an object of the engine must not leave to the one that it is loaded into.
ENGINE_ONLY := preload/engine/no_destructors.cc preload/heap/begin.cc preload/heap/exceptions.cc
LIBS := -pthread -Wl,--as-needed

# These files change only when what they say changes, so that a new flag recompiles, and a file added to a layer or
# removed from it links anew what is made of that layer.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(CC)' '$(CXX) $(CXX_FLAGS)' '$(C_FLAGS) $(HOOKS_FLAGS) $(PROGRAM_FLAGS)' \
	  '$(SHARED_FLAGS) $(STATIC_CXX) $(OWN_HEAP) $(OWN_CLOCK) $(BY_MACHINE) $(LIBS) $(LDFLAGS)' >$@.new; cmp -s $@.new $@ || cp $@.new $@; rm $@.new
.SECONDARY: $(BUILD)/list/BUILD_PINS
$(BUILD)/list/%: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' $($*) >$@.new; cmp -s $@.new $@ || cp $@.new $@; rm $@.new

FULL_LINK := $(LIBRARIES) $(FETCHED)/compiled $(BUILD)/flags

$(OBJ)/%.o: % $(BUILD)/flags $(BUILD)/list/BUILD_PINS | $(FETCHED)/build.installed
	@mkdir -p $(@D)
	@echo '  compile $<'
	$(Q)$(call compile,$<) -MMD -MP -c $< -o $@

# The unit tests and benchmarks include headers of packages that the product does not need.
$(call objects,$(UNIT) $(BENCH)): | $(FETCHED)/test.installed

$(BUILD)/libparser.a: $(call objects,$(PARSER)) $(BUILD)/list/PARSER
$(BUILD)/libstore.a: $(call objects,$(STORE)) $(BUILD)/list/STORE
$(LIBRARIES):
	@rm -f $@
	@echo '  archive $@'
	$(Q)ar rcs $@ $(filter %.o,$^)

# The thin library. Linked as C: the C++ compiler would add libstdc++. What it has of the store needs libc's headers alone.
THIN_STORE := store/machine.cc store/standard_error.cc
$(BUILD)/libcassette.so: $(call objects,$(HOOKS) $(THIN_STORE)) $(BUILD)/hooks.map $(BUILD)/flags $(BUILD)/list/HOOKS
	@echo '  link    $@'
	$(Q)$(CC) $(SHARED_FLAGS) $(BY_MACHINE) -static-libgcc -Wl,--version-script=$(BUILD)/hooks.map -Wl,-soname,$(@F) $(LDFLAGS) \
	  -o $@ $(filter %.o,$^) $(LIBS)

# What is exported is what hooks.def lists, and nothing else. The version node has no name: with a name, the hooks
# would no longer stand in for the functions of libc.
$(BUILD)/hooks.map: preload/hooks/hooks.def
	@mkdir -p $(@D)
	@{ echo '{ global:'; sed -nE 's/^ *(HOOK|API)\( *(\w+).*/  \2;/p' $< | sort -u; echo '  local: *; };'; } >$@

# Linked by the C driver, because the C++ one adds libm, which nothing here uses, and which would be loaded.
$(BUILD)/libcassette-engine.so: $(call objects,$(ENGINE) $(HEAP)) preload/engine/engine.map $(FULL_LINK) $(BUILD)/list/ENGINE
	@echo '  link    $@'
	$(Q)$(CC) $(SHARED_FLAGS) $(OWN_HEAP) -static-libgcc -Wl,--version-script=preload/engine/engine.map -Wl,-soname,$(@F) $(LDFLAGS) \
	  -o $@ $(filter %.o,$^) $(LIBRARIES) $(THIRD_PARTY) -l:libstdc++.a $(LIBS)

# OpenSSL is in an object of its own: the names of its functions would collide with the hooks of those of the program.
$(BUILD)/libcassette-tls.so: $(call objects,$(TLS) $(addprefix preload/heap/,entry.cc begin.cc exceptions.cc)) preload/tls/tls.map $(FULL_LINK) $(BUILD)/list/TLS
	@echo '  link    $@'
	$(Q)$(CC) $(SHARED_FLAGS) $(OWN_HEAP) $(OWN_CLOCK) -static-libgcc -Wl,--version-script=preload/tls/tls.map -Wl,-soname,$(@F) $(LDFLAGS) \
	  -o $@ $(filter %.o,$^) $(LIBRARIES) $(THIRD_PARTY) -l:libssl.a -l:libcrypto.a -l:libstdc++.a $(LIBS)

$(BUILD)/cassette: $(call objects,$(CLI)) $(FULL_LINK) $(BUILD)/list/CLI
	@echo '  link    $@'
	$(Q)$(CXX) $(STATIC_CXX) $(BY_MACHINE) -Wl,--gc-sections $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBRARIES) $(THIRD_PARTY) $(LIBS)

# The system calls of the store come by tests/unit/store/faulty_disk.cc.
WRAPPED := $(patsubst %,-Wl$(comma)--wrap=%,open close read pread write ftruncate fsync syncfs rename unlink mkdir fchmod fchown)
$(BUILD)/tests/unit: $(call objects,$(UNIT) $(filter-out $(ENGINE_ONLY),$(ENGINE) $(HEAP)) $(TLS) preload/hooks/files/bundles.cc $(filter-out cli/main.cc,$(CLI))) $(FULL_LINK) $(BUILD)/list/UNIT \
  $(BUILD)/list/ENGINE $(BUILD)/list/TLS $(BUILD)/list/CLI
	@mkdir -p $(@D)
	@echo '  link    $@'
	$(Q)$(CXX) $(OWN_HEAP) $(WRAPPED) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBRARIES) $(THIRD_PARTY) -l:libssl.a -l:libcrypto.a \
	  -lgmock_main -lgmock -lgtest $(LIBS)

define program
$(BUILD)/tests/programs/$(basename $(notdir $(1))): $(1) $(BUILD)/flags | $(FETCHED)/test.installed
	@mkdir -p $$(@D)
	@echo '  compile $(1)'
	$$(Q)$$(call compile,$(1)) -MMD -MP -MF $$@.d $$< -o $$@ $$(PROGRAM_LIBS)
endef
$(foreach f,$(PROGRAMS),$(eval $(call program,$(f))))
# Clients of TLS libraries: shared as most programs have them, and OpenSSL once more inside the program.
$(BUILD)/tests/programs/openssl_nonblocking: PROGRAM_LIBS := -lssl -lcrypto
$(BUILD)/tests/programs/gnutls_client: PROGRAM_LIBS := -lgnutls
# Its headers would be another package, see the client.
$(BUILD)/tests/programs/curl_multi: PROGRAM_LIBS := -l:libcurl.so.4
$(BUILD)/tests/programs/openssl_static: tests/programs/tls/openssl_nonblocking.c $(BUILD)/flags | $(FETCHED)/test.installed
	@mkdir -p $(@D)
	@echo '  compile $< (static OpenSSL)'
	$(Q)$(call compile,$<) $< -o $@ -l:libssl.a -l:libcrypto.a

# Programs about concurrency, each a second time under ThreadSanitizer: instrumented is what is shared, the rest of the
# store comes from its archive.
INSTRUMENTED := $(addprefix store/,deck.cc player/session_player.cc player/session_recorder.cc \
  player/request_note.cc session/cursors.cc session/history.cc session/session.cc session/session_cassettes.cc session/tracking.cc image/image.cc)
tsan_object = $(1:%=$(BUILD)/tsan/%.o)
$(BUILD)/tsan/%.o: % $(BUILD)/flags | $(FETCHED)/build.installed
	@mkdir -p $(@D)
	@echo '  compile $< (ThreadSanitizer)'
	$(Q)$(call compile,$<) -fsanitize=thread -O1 -MMD -MP -c $< -o $@
$(CONCURRENT): $(BUILD)/tests/concurrency/%: $(OBJ)/tests/concurrency/%.cc.o $(FULL_LINK)
	@mkdir -p $(@D)
	@echo '  link    $@'
	$(Q)$(CXX) $(LDFLAGS) -o $@ $< $(LIBRARIES) $(THIRD_PARTY) $(LIBS)
$(CONCURRENT:%=%_tsan): $(BUILD)/tests/concurrency/%_tsan: $(call tsan_object,tests/concurrency/%.cc $(INSTRUMENTED)) $(FULL_LINK)
	@mkdir -p $(@D)
	@echo '  link    $@'
	$(Q)$(CXX) -fsanitize=thread $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBRARIES) $(THIRD_PARTY) $(LIBS)

# Benchmarks of the store alone.
$(patsubst tests/bench/%.cc,$(BUILD)/tests/bench/%,$(STORE_BENCH)): $(BUILD)/tests/bench/%: $(OBJ)/tests/bench/%.cc.o $(FULL_LINK)
	@mkdir -p $(@D)
	@echo '  link    $@'
	$(Q)$(CXX) $(LDFLAGS) -o $@ $< $(LIBRARIES) $(THIRD_PARTY) $(LIBS)

# The clients of the benchmarks: plain programs, like any that the library is loaded into. OpenSSL is
# only linked to those that use it.
define benchmark
$(BUILD)/tests/bench/$(basename $(notdir $(1))): $(1) $(BUILD)/flags | $(FETCHED)/build.installed
	@mkdir -p $$(@D)
	@echo '  compile $(1)'
	$$(Q)$$(call compile,$(1)) -MMD -MP -MF $$@.d $$< -o $$@ $(LIBS) -lssl -lcrypto
endef
$(foreach f,$(BENCH),$(eval $(call benchmark,$(f))))

# What includes what, as the compiler wrote it down.
-include $(patsubst %,$(OBJ)/%.d,$(filter-out $(PROGRAMS) $(BENCH),$(SOURCES))) \
  $(patsubst %,$(BUILD)/tsan/%.d,$(CONCURRENCY) $(INSTRUMENTED)) $(TEST_PROGRAMS:%=%.d) $(BENCH_PRODUCTS:%=%.d)

# ---- running ---------------------------------------------------------------------------------------------------------

# TESTS: names, or parts of names, of test scripts, or `unit`; all of them when empty.
TESTS ?=
test: all $(TEST_PRODUCTS) $(FETCHED)/test.installed $(FETCHED)/curl-suite/built
	@BUILD=$(abspath $(BUILD)) tests/run $(TESTS)

# curl's and CPython's own tests, plain and under the library. SUITES="curl:HTTPS test_ssl" chooses some.
SUITES ?=
test-suites: all $(FETCHED)/test.installed $(FETCHED)/curl-suite/built
	@BUILD=$(abspath $(BUILD)) tests/suites/run $(SUITES)

# How long `make soak` takes.
MINUTES ?= 10
soak: all $(BUILD)/tests/programs/soaker $(FETCHED)/test.installed
	@BUILD=$(abspath $(BUILD)) tests/soak $(MINUTES)

demo: all $(FETCHED)/test.installed
	@BUILD=$(abspath $(BUILD)) tests/demo

bench: all $(BENCH_PRODUCTS) $(FETCHED)/test.installed $(FETCHED)/bench.installed
	@BUILD=$(abspath $(BUILD)) tests/bench/run

# ---- fuzzing and sanitizers ------------------------------------------------------------------------------------------

# A program for each tests/fuzz/NAME_fuzzer.cc, by clang's libFuzzer. What it feeds is compiled once for all of them,
# instrumented; what is not listed here needs files, sessions or sockets. The third-party archives are as they are.
FUZZ_CXX ?= clang++
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?=
FUZZERS := $(wildcard tests/fuzz/*_fuzzer.cc)
FUZZED := $(PARSER) $(wildcard $(addprefix store/,formats/*.cc image/*.cc match/*.cc redaction/*.cc settings/*.cc)) \
  $(addprefix store/,cassette.cc content_coding.cc files.cc inherited_files.cc log.cc standard_error.cc uri.cc journal/journal.cc session/cursors.cc)
FUZZ_PRODUCTS := $(FUZZERS:tests/fuzz/%_fuzzer.cc=$(BUILD)/fuzz/%)
FUZZ_FLAGS := -std=c++20 -O1 -g1 -Wall -Wextra -Werror -pthread -fno-omit-frame-pointer \
  -fsanitize=address,undefined -fno-sanitize-recover=all -fsanitize-ignorelist=tests/fuzz/third_party.txt
fuzz_object = $(1:%=$(BUILD)/fuzz/obj/%.o)
FUZZ_COMMAND := $(FUZZ_CXX) $(FUZZ_FLAGS) $(shell cksum <tests/fuzz/third_party.txt)
.SECONDARY: $(BUILD)/list/FUZZ_COMMAND

$(BUILD)/fuzz/obj/%.o: % $(BUILD)/list/FUZZ_COMMAND $(BUILD)/list/BUILD_PINS | $(FETCHED)/build.installed $(FETCHED)/fuzz.installed
	@mkdir -p $(@D)
	@echo '  compile $< (for fuzzing)'
	$(Q)$(FUZZ_CXX) $(INCLUDES) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@
$(BUILD)/fuzz/libfuzzed.a: $(call fuzz_object,$(FUZZED)) $(BUILD)/list/FUZZED
	@rm -f $@
	@echo '  archive $@'
	$(Q)ar rcs $@ $(filter %.o,$^)
$(FUZZ_PRODUCTS): $(BUILD)/fuzz/%: $(BUILD)/fuzz/obj/tests/fuzz/%_fuzzer.cc.o $(BUILD)/fuzz/libfuzzed.a $(FETCHED)/compiled
	@echo '  link    $@'
	$(Q)$(FUZZ_CXX) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $< $(BUILD)/fuzz/libfuzzed.a $(THIRD_PARTY) $(LIBS)
-include $(patsubst %.o,%.d,$(call fuzz_object,$(FUZZED) $(FUZZERS)))

# `make test` runs them too, for a moment, unless TESTS chooses others: they take a minute to compile.
test: $(if $(if $(TESTS),$(findstring fuzz,$(TESTS)),all),$(FUZZ_PRODUCTS))
# FUZZ_TARGETS: names of some, "uri yaml_loader"; all of them when empty.
fuzz: $(FUZZ_PRODUCTS) | $(FETCHED)/fuzz.installed
	@BUILD=$(abspath $(BUILD)) tests/fuzz/run $(FUZZ_SECONDS) $(FUZZ_TARGETS)

# The unit tests under a sanitizer, each in a build folder of its own. It takes minutes, so `make test` does not.
test-sanitize: test-sanitize-address test-sanitize-thread
test-sanitize-address: SANITIZER := -fsanitize=address,undefined -fno-sanitize-recover=undefined
test-sanitize-thread: SANITIZER := -fsanitize=thread
test-sanitize-address test-sanitize-thread: test-sanitize-%: $(FETCHED)/compiled $(FETCHED)/test.installed
	+$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/sanitize-$* LDFLAGS='$(SANITIZER)' \
	  CXXFLAGS='-O1 -g1 -fno-omit-frame-pointer $(SANITIZER)' CFLAGS='-O1 -g1 $(SANITIZER)' $(BUILD)/sanitize-$*/tests/unit
	@BUILD=$(abspath $(BUILD))/sanitize-$* TEST_TIMEOUT=1800 \
	  UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1 tests/run unit

# ---- installing ------------------------------------------------------------------------------------------------------

INSTALLED = $(DESTDIR)$(PREFIX)/bin/cassette $(DESTDIR)$(PREFIX)/lib/libcassette.so \
  $(DESTDIR)$(PREFIX)/lib/libcassette-engine.so $(DESTDIR)$(PREFIX)/lib/libcassette-tls.so $(DESTDIR)$(PREFIX)/include/cassette.h

# Without the symbols for debuggers, which are most of their size.
install: all
	install -D -s -m 755 $(BUILD)/cassette $(DESTDIR)$(PREFIX)/bin/cassette
	install -D -s -m 644 $(BUILD)/libcassette.so $(DESTDIR)$(PREFIX)/lib/libcassette.so
	install -D -s -m 644 $(BUILD)/libcassette-engine.so $(DESTDIR)$(PREFIX)/lib/libcassette-engine.so
	install -D -s -m 644 $(BUILD)/libcassette-tls.so $(DESTDIR)$(PREFIX)/lib/libcassette-tls.so
	$(if $(wildcard preload/cassette.h),install -D -m 644 preload/cassette.h $(DESTDIR)$(PREFIX)/include/cassette.h)

uninstall:
	rm -f $(INSTALLED)

# What was fetched stays: `rm -r deps/fetched` forgets that too.
clean:
	rm -rf $(BUILD) compile_commands.json

# ---- source care -----------------------------------------------------------------------------------------------------

FORMATTED = $(shell git ls-files -co --exclude-standard '*.cc' '*.h' '*.c')

format: $(FETCHED)/lint.installed
	clang-format -i $(FORMATTED)

lint: compile_commands.json $(FETCHED)/lint.installed $(FETCHED)/test.installed
	clang-format --dry-run -Werror $(FORMATTED)
	git -c core.whitespace=cr-at-eol diff --check $$(git hash-object -t tree /dev/null)
	printf '%s\n' $(filter-out $(PROGRAMS),$(SOURCES)) | xargs -P 2 -n 4 clang-tidy -p . --quiet

# One entry a source file, for clang-tidy and for editors.
compile_commands.json: $(BUILD)/flags $(BUILD)/list/SOURCES | $(FETCHED)/build.installed
	@printf '%s\n' $(foreach f,$(SOURCES),'{"directory": "$(CURDIR)", "file": "$(f)",' \
	  '"command": "$(call compile,$(f)) -c $(f)"},') | sed -e '1s/^/[/' -e '$$s/,$$/]/' >$@

help:
	@echo 'make [all]     the two libraries and the command, in $(BUILD)/'
	@echo 'make demo      records and replays a real client, start to end'
	@echo 'make test      all tests; TESTS="unit curl" chooses some'
	@echo 'make test-suites   the test suites of curl and CPython, with and without the library; SUITES="curl:HTTPS test_ssl"'
	@echo 'make fuzz      each fuzz target for FUZZ_SECONDS=$(FUZZ_SECONDS); FUZZ_TARGETS="uri match" chooses some'
	@echo 'make test-sanitize   the unit tests under the address, undefined and thread sanitizers'
	@echo 'make bench     prints figures'
	@echo 'make soak      records and replays for MINUTES=10, and looks whether memory stays flat'
	@echo 'make install   into $(PREFIX) (PREFIX=, DESTDIR=); also: uninstall'
	@echo 'make format    clang-format in place'
	@echo 'make lint      clang-format check, white space, clang-tidy'
	@echo 'make compile_commands.json   for clangd and other tools'
	@echo 'make deps      looks again for missing packages'
	@echo 'make V=1       shows the commands'
	@echo 'make clean     removes $(BUILD)/; fetched dependencies stay in $(FETCHED)/'
