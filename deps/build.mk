# Compiles what deps/install unpacked into static, position-independent archives under deps/fetched/lib, which outlive
# `make clean`. The Makefile calls it as a make of its own once the sources are there: only then can wildcards see them.
#
# All is hidden, so that nothing of it shows from the shared object it ends up in, and cut into sections, so that
# --gc-sections can drop what is unused. -w: the warnings of others' code are not ours to mend.

SRC := deps/fetched/src
OBJ := deps/fetched/obj
LIB := deps/fetched/lib

Q := $(if $(V),,@)
FLAGS := -O2 -g1 -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections -w

.PHONY: all
all:

# $(call library,NAME,FOLDER,FLAGS,SOURCES) gives libNAME.a. The objects depend on the sum that FOLDER was unpacked
# from: the file times inside an archive are years old and tell nothing.
define library
all: $(LIB)/lib$(1).a
$(LIB)/lib$(1).a: $(4:$(SRC)/%=$(OBJ)/%.o)
	@rm -f $$@.new; mkdir -p $$(@D)
	@echo '  archive $$@'
	$(Q)ar rcs $$@.new $$^
	@mv $$@.new $$@
$(4:$(SRC)/%=$(OBJ)/%.o): $(SRC)/$(2)/.sha256 deps/build.mk
$(OBJ)/$(2)/%.o: FLAGS += $(3)
endef

sources = $(wildcard $(addprefix $(SRC)/,$(1)))

$(eval $(call library,llhttp,llhttp,-I$(SRC)/llhttp,$(call sources,llhttp/*.c)))
$(eval $(call library,simdjson,simdjson,-std=c++20,$(call sources,simdjson/singleheader/simdjson.cpp)))
$(eval $(call library,yaml-cpp,yaml-cpp,-std=c++20 -I$(SRC)/yaml-cpp/include,$(call sources,yaml-cpp/src/*.cpp)))
$(eval $(call library,z,zlib,-DHAVE_UNISTD_H -DHAVE_STDARG_H,$(call sources,zlib/*.c)))
# Bodies are decoded, never encoded: zstd's decoder alone will do. It carries an xxhash, renamed lest it pass for ours.
$(eval $(call library,zstddec,zstd,-I$(SRC)/zstd/lib -DXXH_NAMESPACE=ZSTD_ -DZSTDLIB_VISIBLE= -DZSTDERRORLIB_VISIBLE=,\
  $(call sources,zstd/lib/common/*.c zstd/lib/decompress/*.c zstd/lib/decompress/*.S)))

$(OBJ)/%.cpp.o: $(SRC)/%.cpp
	@mkdir -p $(@D)
	@echo '  compile $<'
	$(Q)$(CXX) $(FLAGS) -c $< -o $@

$(OBJ)/%.c.o: $(SRC)/%.c
	@mkdir -p $(@D)
	@echo '  compile $<'
	$(Q)$(CC) $(FLAGS) -c $< -o $@

$(OBJ)/%.S.o: $(SRC)/%.S
	@mkdir -p $(@D)
	@echo '  compile $<'
	$(Q)$(CC) $(FLAGS) -c $< -o $@
