using System.Globalization;
using System.Text;

namespace VfioUser.Disks;

/// <summary>An open image, with the connection to its cluster. The calls wait for the network.</summary>
/// <remarks>Any thread, until it is disposed.</remarks>
internal sealed class RbdImage : IDisposable
{
    private const int InvalidArgument = -22; // EINVAL
    private const int ReadOnly = -30; // EROFS

    private readonly RbdAddress _address;
    private nint _cluster;
    private nint _pool;
    private nint _image;

    private RbdImage(RbdAddress address) => _address = address;

    public nint Handle => _image;

    /// <exception cref="IOException">There is no such image, or no cluster. The message says which.</exception>
    public static RbdImage Open(RbdAddress address, RbdDiskOptions options)
    {
        Librbd.Require();
        RbdImage image = new(address);
        try
        {
            image.Connect(options);
            image.Open(options.IsReadOnly || address.Snapshot is not null);
            return image;
        }
        catch
        {
            image.Dispose();
            throw;
        }
    }

    /// <summary>The same wherever and by whatever name it is opened.</summary>
    public string Identity
    {
        get
        {
            string cluster = Text((buffer, length) => Librbd.GetClusterId(_cluster, buffer, length));
            string image = Text((buffer, length) => Librbd.GetId(_image, buffer, length));
            return (_address with { Namespace = cluster + "/" + _address.Namespace, Image = image }).ToString();
        }
    }

    /// <summary>In bytes.</summary>
    public long Size
    {
        get
        {
            Check(Librbd.GetSize(_image, out ulong size), "its size");
            return (long)size;
        }
    }

    /// <summary>Bytes that are next to each other in one object, from a multiple of it on.</summary>
    public long StripeUnit
    {
        get
        {
            Check(Librbd.GetStripeUnit(_image, out ulong length), "its stripes");
            return (long)length;
        }
    }

    /// <summary>A number of the configuration.</summary>
    /// <returns>0 if it is none.</returns>
    public long Option(string name)
    {
        string text = Text((buffer, length) => Librbd.GetOption(_cluster, name, buffer, length));
        return long.TryParse(text, CultureInfo.InvariantCulture, out long value) ? value : 0;
    }

    /// <summary>Locks the image against other clients that write; one that is gone has no lock any more.</summary>
    /// <returns>False if it has no feature for that.</returns>
    /// <exception cref="IOException">Another client has it.</exception>
    public bool Lock()
    {
        int result = Librbd.AcquireLock(_image, Librbd.ExclusiveLock);
        if (result == InvalidArgument)
            return false;
        if (result == ReadOnly)
            throw new IOException($"{_address} is in use: another client has not given it up.");
        Check(result, "its lock");
        return true;
    }

    /// <summary>Lets others have the image.</summary>
    public void Unlock()
    {
        if (Librbd.IsLockOwner(_image, out int isOwner) == 0 && isOwner != 0)
            Check(Librbd.ReleaseLock(_image), "its lock");
    }

    /// <summary>Forgets what is cached.</summary>
    public void DropCache() => Check(Librbd.InvalidateCache(_image), "its cache");

    /// <summary>No access is under way.</summary>
    public void Dispose()
    {
        if (_image != 0)
            _ = Librbd.Close(_image); // it is closed whatever it returns
        if (_pool != 0)
            Librbd.ClosePool(_pool);
        if (_cluster != 0)
            Librbd.Shutdown(_cluster);
        (_image, _pool, _cluster) = (0, 0, 0);
    }

    private void Connect(RbdDiskOptions options)
    {
        Check(Librbd.CreateCluster(out _cluster, _address.User), "a client");
        int read = Librbd.ReadConfiguration(_cluster, _address.Configuration);
        if (_address.Configuration is not null) // what is not at the usual places need not be
            Check(read, _address.Configuration);
        Set("client_mount_timeout", Seconds(options.ConnectTimeout));
        if (options.GiveUpAfter != Timeout.InfiniteTimeSpan)
            Set("rados_osd_op_timeout", Seconds(options.GiveUpAfter));
        if (!options.IsCached)
            Set("rbd_cache", "false");
        foreach (KeyValuePair<string, string> option in _address.Options)
            Set(option.Key, option.Value);
        Check(Librbd.Connect(_cluster), "the cluster cannot be reached");
    }

    private void Open(bool readOnly)
    {
        Check(Librbd.OpenPool(_cluster, _address.Pool, out _pool), $"pool {_address.Pool}");
        Librbd.SetNamespace(_pool, _address.Namespace);
        Check(readOnly ? Librbd.OpenReadOnly(_pool, _address.Image, out _image, _address.Snapshot)
            : Librbd.Open(_pool, _address.Image, out _image, _address.Snapshot), $"image {_address.Image}");
    }

    private void Set(string option, string value) => Check(Librbd.SetOption(_cluster, option, value), $"option {option}");

    private void Check(int result, string what) => RbdFailure.Check(result, $"{_address}: {what}");

    private static string Seconds(TimeSpan time) => ((long)Math.Ceiling(time.TotalSeconds)).ToString(CultureInfo.InvariantCulture);

    private string Text(Func<byte[], nuint, int> get)
    {
        byte[] buffer = new byte[256];
        Check(get(buffer, (nuint)buffer.Length), "its name");
        return Encoding.UTF8.GetString(buffer.AsSpan(0, Math.Max(buffer.AsSpan().IndexOf((byte)0), 0)));
    }
}
