package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// image is a mounted ext4 filesystem of its own.
type image struct {
	dir string
}

// newImage makes and mounts a sparse image. Its file is unlinked at once, so
// that the space is free again when the filesystem is unmounted.
func (b *bench) newImage(ctx context.Context, name string) (*image, error) {
	dir := filepath.Join(b.work, name)
	file := dir + ".img"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	defer os.Remove(file)
	defer f.Close()
	if err := f.Truncate(b.size.image); err != nil {
		return nil, fmt.Errorf("make image: %w", err)
	}
	// Inode tables are neither zeroed now nor in the background later, when it
	// would disturb a measurement.
	if err := command(ctx, "mkfs.ext4", "-q", "-F", "-i", "8192", "-m", "0", "-E", "lazy_itable_init=1", file); err != nil {
		return nil, err
	}
	if err := command(ctx, "mount", "-o", "loop,noinit_itable", file, dir); err != nil {
		return nil, err
	}
	return &image{dir: dir}, nil
}

// path gives a directory of the image.
func (im *image) path(name string) string { return filepath.Join(im.dir, name) }

// close unmounts. The context of a stopped run must not keep it from that. A
// process on its way out may hold the filesystem for a moment.
func (im *image) close() error {
	if im == nil {
		return nil
	}
	retry := time.NewTicker(50 * time.Millisecond)
	defer retry.Stop()
	err := syscall.Unmount(im.dir, 0)
	for tries := 0; errors.Is(err, syscall.EBUSY) && tries < 100; tries++ {
		<-retry.C
		err = syscall.Unmount(im.dir, 0)
	}
	if err != nil {
		err = errors.Join(fmt.Errorf("unmount %s: %w", im.dir, err), syscall.Unmount(im.dir, syscall.MNT_DETACH))
	}
	return errors.Join(err, os.Remove(im.dir))
}

// written returns how many bytes the image's loop device was given to write.
func (im *image) written() (int64, error) {
	var st syscall.Stat_t
	if err := syscall.Stat(im.dir, &st); err != nil {
		return 0, fmt.Errorf("stat %s: %w", im.dir, err)
	}
	major, minor := st.Dev>>8&0xfff, st.Dev&0xff|st.Dev>>12&0xfff00
	data, err := os.ReadFile(fmt.Sprintf("/sys/dev/block/%d:%d/stat", major, minor))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(data))
	if len(fields) < 7 {
		return 0, fmt.Errorf("block device statistics %q", data)
	}
	sectors, err := strconv.ParseInt(fields[6], 10, 64)
	return sectors * 512, err
}

// command runs a helper program; its output is the error's text.
func command(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, tail(out))
	}
	return nil
}

// tail returns the last lines of a program's output.
func tail(out []byte) string {
	const most = 2000
	s := strings.TrimSpace(string(out))
	if len(s) > most {
		s = "…" + s[len(s)-most:]
	}
	return s
}
