/* Loads the library named on the command line and runs its self test: what crashes here does not crash in Python. */
#include <dlfcn.h>
#include <stdio.h>

int main(int count, char **words) {
    void *library = count == 2 ? dlopen(words[1], RTLD_NOW) : 0;
    if (!library) {
        fprintf(stderr, "%s\n", count == 2 ? dlerror() : "check LIBRARY");
        return 2;
    }
    int (*test)(void) = (int (*)(void))dlsym(library, "mg_self_test");
    return test ? test() : 0;
}
