// Package config is the settings of botyard.
//
// It owns their names, defaults and meaning, where they come from (flag, then
// environment, then file, then default), their validation, and the JSON schema
// of the file. It does not own what is done with them (package app), nor the
// sub-commands (package cli), which embed Installation or Config in their
// grammar and so get flags, environment, file and validation at once.
//
// One setting has one name in three spellings: the flag --database-url, the
// variable BOTYARD_DATABASE_URL, the key database_url. A setting that is a secret
// has a twin that names a file with the value: --database-url-file,
// BOTYARD_DATABASE_URL_FILE, database_url_file. A variable that is set to nothing
// is set; a key without a value is not.
package config
