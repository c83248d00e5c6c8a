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

// image is a mounted filesystem of its own.
type image struct {
	dir    string
	device string // the loop device's name
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
	fs := filesystems[b.fs]
	if err := command(ctx, fs.mkfs[0], append(fs.mkfs[1:len(fs.mkfs):len(fs.mkfs)], file)...); err != nil {
		return nil, err
	}
	if err := command(ctx, "mount", "-t", b.fs, "-o", fs.options, file, dir); err != nil {
		return nil, err
	}
	im := &image{dir: dir}
	if im.device, err = mountedFrom(dir); err != nil {
		return nil, errors.Join(err, im.close())
	}
	return im, nil
}

// mountedFrom gives the name of the block device that is mounted on a directory.
// What stat says of a file need not be one: btrfs makes numbers of its own.
func mountedFrom(dir string) (string, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(data)) {
		// … mount point, options, any number of tags, a dash, type, source.
		before, after, _ := strings.Cut(line, " - ")
		mount, fs := strings.Fields(before), strings.Fields(after)
		if len(mount) > 4 && mount[4] == dir && len(fs) > 1 {
			return filepath.Base(fs[1]), nil
		}
	}
	return "", fmt.Errorf("%s is not mounted", dir)
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
	data, err := os.ReadFile(filepath.Join("/sys/block", im.device, "stat"))
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
