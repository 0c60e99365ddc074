// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * running.c - the running configuration of a resource, and its way from one engine process to the
 * next
 *
 * Owns: struct bsrd_running, its JSON form {"resource":{},"volumes":[],"peers":[]}.
 * Invariants:
 *   RUN-1  Given texts are the truth; numbers are always made of them by options.c.
 *   RUN-2  A configuration travels as a whole in a new memfd: a killed process never leaves half of
 *          one.
 */
#include "running.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bsr/assert.h>

#define TEXT_BYTES_MAX (16u << 20)

void bsrd_running_init(struct bsrd_running *running, const char *resource)
{
	memset(running, 0, sizeof(*running));
	BSR_ASSERT(strlen(resource) <= BSR_NAME_BYTES_MAX);
	memcpy(running->resource, resource, strlen(resource) + 1);
	running->role = BSR_ROLE_SECONDARY;
}

void bsrd_running_clear_volume(struct bsrd_volume *volume)
{
	json_object_put(volume->disk_given);
	memset(volume, 0, sizeof(*volume));
}

void bsrd_running_clear_peer(struct bsrd_peer *peer)
{
	json_object_put(peer->net_given);
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		json_object_put(peer->peer_device_given[i]);
	}
	explicit_bzero(peer, sizeof(*peer)); /* there is a secret in it */
}

void bsrd_running_clear(struct bsrd_running *running)
{
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		bsrd_running_clear_volume(&running->volume[i]);
	}
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		bsrd_running_clear_peer(&running->peer[i]);
	}
	json_object_put(running->options_given);
	char name[BSR_NAME_BYTES_MAX + 1];
	memcpy(name, running->resource, sizeof(name));
	bsrd_running_init(running, name);
}

int bsrd_volume_find(const struct bsrd *d, uint32_t vnr)
{
	for (int i = 0; i < (int)BSR_VOLUMES_MAX; i++) {
		if (d->running.volume[i].exists && d->running.volume[i].vnr == vnr) {
			return i;
		}
	}
	return -1;
}

int bsrd_volume_find_minor(const struct bsrd *d, uint32_t minor)
{
	for (int i = 0; i < (int)BSR_VOLUMES_MAX; i++) {
		if (d->running.volume[i].exists && d->running.volume[i].minor == minor) {
			return i;
		}
	}
	return -1;
}

/* ------------------------------------------------------------- to JSON */

static void add_number(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_int64((int64_t)value));
}

static void add_text(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static void add_flag(struct json_object *o, const char *key, bool value)
{
	json_object_object_add(o, key, json_object_new_boolean(value));
}

static void add_given(struct json_object *o, const char *key, struct json_object *given)
{
	json_object_object_add(o, key, given != NULL ? json_object_get(given) : json_object_new_object());
}

static struct json_object *volume_to_json(const struct bsrd_volume *v, uint32_t index)
{
	struct json_object *o = json_object_new_object();
	add_number(o, "index", index);
	add_number(o, "vnr", v->vnr);
	add_number(o, "minor", v->minor);
	add_flag(o, "attached", v->attached);
	add_text(o, "disk", v->disk_path);
	add_text(o, "meta_disk", v->md_path);
	add_number(o, "meta_kind", (uint64_t)v->md_kind);
	add_number(o, "meta_index", v->md_index);
	add_number(o, "meta_stride_mib", v->md_stride_mib);
	add_given(o, "disk_options", v->disk_given);
	return o;
}

static struct json_object *peer_to_json(const struct bsrd_peer *p, uint32_t node_id)
{
	struct json_object *o = json_object_new_object();
	struct json_object *paths = json_object_new_array();
	struct json_object *devices = json_object_new_array();
	add_number(o, "node_id", node_id);
	add_text(o, "name", p->name);
	add_flag(o, "connect", p->wanted);
	add_given(o, "net_options", p->net_given);
	for (uint32_t i = 0; i < p->path_count; i++) {
		struct json_object *path = json_object_new_object();
		add_text(path, "local", p->path[i].local_text);
		add_text(path, "remote", p->path[i].remote_text);
		json_object_array_add(paths, path);
	}
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		if (p->peer_device_given[i] != NULL) {
			struct json_object *device = json_object_new_object();
			add_number(device, "index", i);
			add_given(device, "options", p->peer_device_given[i]);
			json_object_array_add(devices, device);
		}
	}
	json_object_object_add(o, "paths", paths);
	json_object_object_add(o, "peer_devices", devices);
	return o;
}

struct json_object *bsrd_running_to_json(const struct bsrd_running *running)
{
	struct json_object *root = json_object_new_object();
	struct json_object *resource = json_object_new_object();
	struct json_object *volumes = json_object_new_array();
	struct json_object *peers = json_object_new_array();
	add_text(resource, "name", running->resource);
	add_flag(resource, "exists", running->exists);
	add_number(resource, "node_id", running->node_id);
	add_text(resource, "role", bsr_role_word(running->role));
	add_given(resource, "options", running->options_given);
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		if (running->volume[i].exists) {
			json_object_array_add(volumes, volume_to_json(&running->volume[i], i));
		}
	}
	for (uint32_t i = 0; i < BSR_NODES_MAX; i++) {
		if (running->peer[i].exists) {
			json_object_array_add(peers, peer_to_json(&running->peer[i], i));
		}
	}
	json_object_object_add(root, "resource", resource);
	json_object_object_add(root, "volumes", volumes);
	json_object_object_add(root, "peers", peers);
	return root;
}

/* ----------------------------------------------------------- from JSON */

/* Out of 0..@max counts as missing. */
static bool get_number(struct json_object *o, const char *key, uint64_t max, uint32_t *value)
{
	struct json_object *v;
	if (!json_object_object_get_ex(o, key, &v) || !json_object_is_type(v, json_type_int)) {
		return false;
	}
	int64_t n = json_object_get_int64(v);
	if (n < 0 || (uint64_t)n > max) {
		return false;
	}
	*value = (uint32_t)n;
	return true;
}

static bool get_text(struct json_object *o, const char *key, char *out, size_t room)
{
	struct json_object *v;
	if (!json_object_object_get_ex(o, key, &v) || !json_object_is_type(v, json_type_string)) {
		return false;
	}
	size_t length = (size_t)json_object_get_string_len(v);
	if (length >= room) {
		return false;
	}
	memcpy(out, json_object_get_string(v), length);
	out[length] = '\0';
	return true;
}

static bool get_flag(struct json_object *o, const char *key)
{
	struct json_object *v;
	return json_object_object_get_ex(o, key, &v) && json_object_get_boolean(v);
}

static struct json_object *get_given(struct json_object *o, const char *key)
{
	struct json_object *v;
	if (json_object_object_get_ex(o, key, &v) && json_object_is_type(v, json_type_object)) {
		return json_object_get(v);
	}
	return json_object_new_object();
}

static int damaged(char *why, size_t room, const char *what)
{
	snprintf(why, room, "running configuration: %s is missing or wrong", what);
	return -EINVAL;
}

static int volume_from_json(struct bsrd_running *running, struct json_object *o, char *why, size_t room)
{
	uint32_t index, kind;
	if (!get_number(o, "index", BSR_VOLUMES_MAX - 1, &index) || running->volume[index].exists) {
		return damaged(why, room, "a volume's index");
	}
	struct bsrd_volume *v = &running->volume[index];
	v->disk_given = get_given(o, "disk_options");
	v->exists = true;
	if (!get_number(o, "vnr", BSR_VNR_MAX, &v->vnr) || !get_number(o, "minor", UINT32_MAX, &v->minor) ||
		!get_number(o, "meta_kind", BSR_MD_INDEXED, &kind) ||
		!get_number(o, "meta_index", UINT32_MAX, &v->md_index) ||
		!get_text(o, "disk", v->disk_path, sizeof(v->disk_path)) ||
		!get_text(o, "meta_disk", v->md_path, sizeof(v->md_path))) {
		return damaged(why, room, "a volume's description");
	}
	v->md_kind = (enum bsr_md_kind)kind;
	if (!get_number(o, "meta_stride_mib", 256, &v->md_stride_mib) || v->md_stride_mib != 128) {
		v->md_stride_mib = 256; /* of a process that knew no other */
	}
	v->attached = get_flag(o, "attached");
	return bsr_options_disk(v->disk_given, &v->disk, &v->size_bytes, why, room) == 0 ? 0 : -EINVAL;
}

static int paths_from_json(struct bsrd_peer *p, struct json_object *paths, char *why, size_t room)
{
	size_t count = json_object_array_length(paths);
	for (size_t i = 0; i < count && p->path_count < BSRD_PATHS_MAX; i++) {
		struct json_object *o = json_object_array_get_idx(paths, i);
		struct bsrd_path *path = &p->path[p->path_count];
		if (!get_text(o, "local", path->local_text, sizeof(path->local_text)) ||
			!get_text(o, "remote", path->remote_text, sizeof(path->remote_text))) {
			return damaged(why, room, "an address");
		}
		if (bsrd_address_parse(path->local_text, &path->path.local, why, room) != 0 ||
			bsrd_address_parse(path->remote_text, &path->path.remote, why, room) != 0) {
			return -EINVAL;
		}
		p->path_count++;
	}
	return 0;
}

static int peer_devices_from_json(struct bsrd_peer *p, struct json_object *devices, char *why, size_t room)
{
	size_t count = json_object_array_length(devices);
	for (size_t i = 0; i < count; i++) {
		struct json_object *o = json_object_array_get_idx(devices, i);
		uint32_t index;
		if (!get_number(o, "index", BSR_VOLUMES_MAX - 1, &index) || p->peer_device_given[index] != NULL) {
			return damaged(why, room, "a peer device's index");
		}
		p->peer_device_given[index] = get_given(o, "options");
		if (bsr_options_peer_device(
			    p->peer_device_given[index], &p->peer_device[index], why, room) != 0) {
			return -EINVAL;
		}
	}
	return 0;
}

static int peer_from_json(struct bsrd_running *running, struct json_object *o, char *why, size_t room)
{
	uint32_t node_id;
	struct json_object *paths, *devices;
	if (!get_number(o, "node_id", BSR_NODES_MAX - 1, &node_id) || running->peer[node_id].exists) {
		return damaged(why, room, "a peer's node id");
	}
	struct bsrd_peer *p = &running->peer[node_id];
	p->net_given = get_given(o, "net_options");
	p->exists = true;
	p->wanted = get_flag(o, "connect");
	if (!get_text(o, "name", p->name, sizeof(p->name)) || !json_object_object_get_ex(o, "paths", &paths) ||
		!json_object_is_type(paths, json_type_array) ||
		!json_object_object_get_ex(o, "peer_devices", &devices) ||
		!json_object_is_type(devices, json_type_array)) {
		return damaged(why, room, "a peer's description");
	}
	for (uint32_t i = 0; i < BSR_VOLUMES_MAX; i++) {
		bsr_peer_device_options_defaults(&p->peer_device[i]);
	}
	if (bsr_options_net(p->net_given, &p->net, &p->link, why, room) != 0) {
		return -EINVAL;
	}
	int error = paths_from_json(p, paths, why, room);
	return error != 0 ? error : peer_devices_from_json(p, devices, why, room);
}

static int resource_from_json(struct bsrd_running *running, struct json_object *o, char *why, size_t room)
{
	char name[BSR_NAME_BYTES_MAX + 1], role[16];
	if (!get_text(o, "name", name, sizeof(name)) || strcmp(name, running->resource) != 0) {
		return damaged(why, room, "the resource name");
	}
	if (!get_number(o, "node_id", BSR_NODES_MAX - 1, &running->node_id) ||
		!get_text(o, "role", role, sizeof(role))) {
		return damaged(why, room, "the resource's description");
	}
	running->exists = get_flag(o, "exists");
	running->role =
		strcmp(role, bsr_role_word(BSR_ROLE_PRIMARY)) == 0 ? BSR_ROLE_PRIMARY : BSR_ROLE_SECONDARY;
	running->options_given = get_given(o, "options");
	return bsr_options_resource(running->options_given, &running->options, why, room) == 0 ? 0 : -EINVAL;
}

typedef int (*item_fn)(struct bsrd_running *running, struct json_object *o, char *why, size_t room);

static int each(struct bsrd_running *running, struct json_object *root, const char *key, item_fn item, char *why,
	size_t room)
{
	struct json_object *list;
	if (!json_object_object_get_ex(root, key, &list) || !json_object_is_type(list, json_type_array)) {
		return damaged(why, room, key);
	}
	size_t count = json_object_array_length(list);
	for (size_t i = 0; i < count; i++) {
		int error = item(running, json_object_array_get_idx(list, i), why, room);
		if (error != 0) {
			return error;
		}
	}
	return 0;
}

int bsrd_running_from_json(struct bsrd_running *running, struct json_object *json, char *why, size_t room)
{
	struct json_object *resource;
	if (!json_object_object_get_ex(json, "resource", &resource)) {
		return damaged(why, room, "the resource");
	}
	int error = resource_from_json(running, resource, why, room);
	if (error == 0) {
		error = each(running, json, "volumes", volume_from_json, why, room);
	}
	if (error == 0) {
		error = each(running, json, "peers", peer_from_json, why, room);
	}
	return error;
}

/* --------------------------------------------------------------- memfd */

static int write_all(int fd, const char *text, size_t bytes)
{
	while (bytes > 0) {
		ssize_t n = write(fd, text, bytes);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return n < 0 ? -errno : -EIO;
		}
		text += n;
		bytes -= (size_t)n;
	}
	return 0;
}

int bsrd_running_to_memfd(const struct bsrd_running *running, uint64_t *bytes)
{
	int fd = memfd_create("bsr-running", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0) {
		return -errno;
	}
	struct json_object *root = bsrd_running_to_json(running);
	size_t length;
	const char *text = json_object_to_json_string_length(root, JSON_C_TO_STRING_PLAIN, &length);
	int error = text == NULL ? -ENOMEM : write_all(fd, text, length);
	json_object_put(root);
	if (error == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
		error = -errno;
	}
	if (error != 0) {
		close(fd);
		return error;
	}
	*bytes = length;
	return fd;
}

int bsrd_running_from_memfd(struct bsrd_running *running, int fd, char *why, size_t room)
{
	struct stat st;
	if (fstat(fd, &st) != 0 || st.st_size < 0 || (uint64_t)st.st_size > TEXT_BYTES_MAX) {
		return damaged(why, room, "its size");
	}
	if (st.st_size == 0) {
		return 0;
	}
	char *text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text == MAP_FAILED) {
		return damaged(why, room, "its memory");
	}
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *root =
		tokener == NULL ? NULL : json_tokener_parse_ex(tokener, text, (int)st.st_size);
	int error = root == NULL ? damaged(why, room, "its text") :
				   bsrd_running_from_json(running, root, why, room);
	json_object_put(root);
	if (tokener != NULL) {
		json_tokener_free(tokener);
	}
	munmap(text, (size_t)st.st_size);
	return error;
}
