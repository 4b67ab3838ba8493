using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>The name of a listening socket in the file system.</summary>
/// <remarks>
/// It is made under another name in the same folder, and gets its own when clients can connect: who waits for the file is
/// never refused. It belongs to who made it: what has taken its name since is somebody else's, and stays.
/// </remarks>
internal sealed class SocketFile
{
    private const int MaxTries = 16;
    private const int MaxPath = 107;

    private readonly string _path;
    private readonly FileIdentity? _identity;

    private SocketFile(string path, FileIdentity? identity)
    {
        _path = path;
        _identity = identity;
    }

    /// <summary>Gives a socket a name, and listens.</summary>
    /// <param name="socket">Not bound yet.</param>
    /// <param name="path">The file of a server that is gone is replaced.</param>
    /// <param name="mode">Who may connect, from the first moment on.</param>
    /// <param name="backlog">How many may wait to be let in.</param>
    /// <exception cref="ArgumentException">The path is too long for clients.</exception>
    /// <exception cref="IOException">A server is alive there, or something else than a socket is.</exception>
    public static SocketFile Create(Socket socket, string path, UnixFileMode mode, int backlog)
    {
        _ = new UnixDomainSocketEndPoint(path);
        // the process may change its folder before the file is removed
        string full = Path.GetFullPath(path);
        _ = Abandoned(path, full);
        string folder = Path.GetDirectoryName(full) ?? "/";
        using SafeFileHandle? shortcut = Encoding.UTF8.GetByteCount(path) + 9 <= MaxPath ? null : PathCalls.OpenFolder(folder);
        string suffix = "." + RandomNumberGenerator.GetHexString(8, lowercase: true);
        string draft = shortcut is null ? path + suffix : $"/proc/self/fd/{shortcut.DangerousGetHandle()}/{suffix}";
        socket.Bind(new UnixDomainSocketEndPoint(draft));
        string fullDraft = shortcut is null ? full + suffix : Path.Combine(folder, suffix);
        try
        {
            if (OperatingSystem.IsLinux())
                File.SetUnixFileMode(fullDraft, mode);
            socket.Listen(backlog);
            FileIdentity? identity = PathCalls.IdentityOf(fullDraft);
            Publish(fullDraft, path, full);
            return new SocketFile(full, identity);
        }
        catch
        {
            File.Delete(fullDraft);
            throw;
        }
    }

    /// <summary>Removes the file, if it is still this one.</summary>
    public void Remove()
    {
        if (_identity is not null && PathCalls.IdentityOf(_path) == _identity)
            File.Delete(_path);
    }

    // Of several servers that begin at once exactly one gets the name; the others find that it is alive.
    private static void Publish(string draft, string path, string full)
    {
        for (int tries = 0; tries < MaxTries; tries++)
        {
            Errno errno = PathCalls.Rename(draft, full, PathCalls.NoReplace);
            if (errno == Errno.None)
                return;
            if (errno == Errno.EEXIST)
            {
                if (Abandoned(path, full) is not { } abandoned)
                    continue;
                errno = PathCalls.Rename(draft, full, PathCalls.Exchange);
                if (errno == Errno.ENOENT)
                    continue;
                if (errno == Errno.None)
                {
                    if (PathCalls.IdentityOf(draft) == abandoned)
                    {
                        File.Delete(draft);
                        return;
                    }
                    // another server was faster, and gets its name back
                    _ = PathCalls.Rename(draft, full, PathCalls.Exchange);
                    continue;
                }
            }
            if (errno != Errno.EINVAL)
                throw Libc.Failure($"renaming '{draft}'", errno);
            // a file system that cannot do it in one step
            File.Move(draft, full, overwrite: true);
            return;
        }
        throw new IOException($"Cannot listen on '{path}': other servers come and go there.");
    }

    // A socket's file stays when its server dies. Whether one is alive only a connection tells. Null if there is no file.
    private static FileIdentity? Abandoned(string path, string full)
    {
        if (PathCalls.IdentityOf(full) is not { } there)
            return null;
        // not to wait: a live server with many clients in its queue answers no one
        using Socket probe = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
        {
            if (!FileCalls.IsSocket(full))
                throw new IOException($"'{path}' exists and is no socket. Remove it or choose another path.", e);
            return there;
        }
        catch (SocketException e)
        {
            if (PathCalls.IdentityOf(full) is null)
                return null;
            throw new IOException($"'{path}' is in use, or cannot be asked: {e.Message}", e);
        }
        throw new IOException($"A server is listening on '{path}' already. Stop it or choose another path.");
    }
}
