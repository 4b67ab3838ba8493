using System.Runtime.InteropServices;

namespace VfioUser.Disks;

/// <summary>Ceph's client libraries, loaded when they are first used. Handles are pointers; results below 0 are errnos.</summary>
internal static partial class Librbd
{
    public const string Library = "librbd.so.1";

    // rbd/librbd.h
    public const int ExclusiveLock = 0;
    public const int Allocate = 1 << 0; // of zeros

    private const string RadosLibrary = "librados.so.2";

    /// <summary>Finds out whether the libraries are there.</summary>
    /// <exception cref="IOException">They are not, or are too old. The message says what to install.</exception>
    public static void Require()
    {
        if (!NativeLibrary.TryLoad(RadosLibrary, out _) || !NativeLibrary.TryLoad(Library, out nint library))
            throw new IOException($"Disks of Ceph need {Library}, which is not installed: it is in the package librbd1.");
        if (!NativeLibrary.TryGetExport(library, "rbd_aio_write_zeroes", out _))
            throw new IOException($"{Library} is too old: it has to be of Ceph 16 or newer.");
    }

    [LibraryImport(RadosLibrary, EntryPoint = "rados_create", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int CreateCluster(out nint cluster, string? user);

    [LibraryImport(RadosLibrary, EntryPoint = "rados_conf_read_file", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int ReadConfiguration(nint cluster, string? path);

    [LibraryImport(RadosLibrary, EntryPoint = "rados_conf_set", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int SetOption(nint cluster, string option, string value);

    [LibraryImport(RadosLibrary, EntryPoint = "rados_conf_get", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int GetOption(nint cluster, string option, [Out] byte[] value, nuint length);

    [LibraryImport(RadosLibrary, EntryPoint = "rados_connect")]
    public static partial int Connect(nint cluster);

    [LibraryImport(RadosLibrary, EntryPoint = "rados_shutdown")]
    public static partial void Shutdown(nint cluster);

    [LibraryImport(RadosLibrary, EntryPoint = "rados_cluster_fsid")]
    public static partial int GetClusterId(nint cluster, [Out] byte[] id, nuint length);

    [LibraryImport(RadosLibrary, EntryPoint = "rados_ioctx_create", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int OpenPool(nint cluster, string pool, out nint ioContext);

    [LibraryImport(RadosLibrary, EntryPoint = "rados_ioctx_set_namespace", StringMarshalling = StringMarshalling.Utf8)]
    public static partial void SetNamespace(nint ioContext, string name);

    [LibraryImport(RadosLibrary, EntryPoint = "rados_ioctx_destroy")]
    public static partial void ClosePool(nint ioContext);

    [LibraryImport(Library, EntryPoint = "rbd_open", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(nint ioContext, string name, out nint image, string? snapshot);

    [LibraryImport(Library, EntryPoint = "rbd_open_read_only", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int OpenReadOnly(nint ioContext, string name, out nint image, string? snapshot);

    [LibraryImport(Library, EntryPoint = "rbd_close")]
    public static partial int Close(nint image);

    [LibraryImport(Library, EntryPoint = "rbd_get_size")]
    public static partial int GetSize(nint image, out ulong size);

    [LibraryImport(Library, EntryPoint = "rbd_get_stripe_unit")]
    public static partial int GetStripeUnit(nint image, out ulong length);

    [LibraryImport(Library, EntryPoint = "rbd_get_id")]
    public static partial int GetId(nint image, [Out] byte[] id, nuint length);

    [LibraryImport(Library, EntryPoint = "rbd_lock_acquire")]
    public static partial int AcquireLock(nint image, int mode);

    [LibraryImport(Library, EntryPoint = "rbd_lock_release")]
    public static partial int ReleaseLock(nint image);

    [LibraryImport(Library, EntryPoint = "rbd_is_exclusive_lock_owner")]
    public static partial int IsLockOwner(nint image, out int isOwner);

    [LibraryImport(Library, EntryPoint = "rbd_invalidate_cache")]
    public static partial int InvalidateCache(nint image);

    [LibraryImport(Library, EntryPoint = "rbd_update_watch")]
    public static partial int Watch(nint image, out ulong watch, nint callback, nint argument);

    [LibraryImport(Library, EntryPoint = "rbd_update_unwatch")]
    public static partial int Unwatch(nint image, ulong watch);

    [LibraryImport(Library, EntryPoint = "rbd_aio_create_completion")]
    public static partial int CreateCompletion(nint argument, nint callback, out nint completion);

    [LibraryImport(Library, EntryPoint = "rbd_aio_get_return_value")]
    public static partial nint ResultOf(nint completion);

    [LibraryImport(Library, EntryPoint = "rbd_aio_release")]
    public static partial void Release(nint completion);

    [LibraryImport(Library, EntryPoint = "rbd_aio_read")]
    public static partial int Read(nint image, ulong offset, nuint length, nint destination, nint completion);

    [LibraryImport(Library, EntryPoint = "rbd_aio_write")]
    public static partial int Write(nint image, ulong offset, nuint length, nint source, nint completion);

    [LibraryImport(Library, EntryPoint = "rbd_aio_discard")]
    public static partial int Discard(nint image, ulong offset, ulong length, nint completion);

    [LibraryImport(Library, EntryPoint = "rbd_aio_write_zeroes")]
    public static partial int WriteZeroes(nint image, ulong offset, nuint length, nint completion, int zeroFlags, int flags);

    [LibraryImport(Library, EntryPoint = "rbd_aio_flush")]
    public static partial int Flush(nint image, nint completion);
}
