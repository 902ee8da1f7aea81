// Command collect writes the licences of the modules that are linked into botyard to
// internal/notice/modules.txt, or with -print to standard output. It reads them from
// the module cache.
//
// It owns which files of a module are its licence. It does not own whether a licence
// is one that may be used: a module without any is an error.
package main
