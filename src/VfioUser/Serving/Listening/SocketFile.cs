using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>The socket file of a listening socket.</summary>
/// <remarks>
/// It is created with another name in the same folder, and renamed when clients can connect: a client that waits for the file
/// is never refused. It is removed only by its server, and only if it has not been replaced by another one.
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

    /// <summary>Binds a socket to a path, and listens.</summary>
    /// <param name="socket">Not bound yet.</param>
    /// <param name="path">The socket file of a server that has exited is replaced.</param>
    /// <param name="mode">File mode, set before clients can connect.</param>
    /// <param name="backlog">How many clients may wait to be accepted.</param>
    /// <exception cref="ArgumentException">The path is too long for clients.</exception>
    /// <exception cref="IOException">A server is listening on the path, or it is not a socket.</exception>
    public static SocketFile Create(Socket socket, string path, UnixFileMode mode, int backlog)
    {
        int length = Encoding.UTF8.GetByteCount(path);
        if (length > MaxPath)
            throw new ArgumentException($"A socket's path has at most {MaxPath} bytes, and '{path}' has {length}.", nameof(path));
        // the process may change its working directory before the file is removed
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

    /// <summary>Removes the file, unless another one has replaced it.</summary>
    public void Remove()
    {
        if (_identity is not null && PathCalls.IdentityOf(_path) == _identity)
            File.Delete(_path);
    }

    // If several servers start at once, exactly one gets the path; the others find a listening server.
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
                    // another server was faster: swap back
                    _ = PathCalls.Rename(draft, full, PathCalls.Exchange);
                    continue;
                }
            }
            if (errno != Errno.EINVAL)
                throw Libc.Failure($"renaming '{draft}'", errno);
            // the file system does not support these renames
            File.Move(draft, full, overwrite: true);
            return;
        }
        throw new IOException($"Cannot listen on '{path}': other servers keep creating and removing it.");
    }

    // A socket file stays when its server is killed; only a connection shows whether one is listening. Null if there is no file.
    private static FileIdentity? Abandoned(string path, string full)
    {
        if (PathCalls.IdentityOf(full) is not { } there)
            return null;
        // non-blocking: connecting to a server with a full backlog would block
        using Socket probe = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
        {
            if (!FileCalls.IsSocket(full))
                throw new IOException($"'{path}' exists and is not a socket. Remove it or choose another path.", e);
            return there;
        }
        catch (SocketException e)
        {
            if (PathCalls.IdentityOf(full) is null)
                return null;
            throw new IOException($"'{path}' is in use, or cannot be checked: {e.Message}", e);
        }
        throw new IOException($"A server is listening on '{path}' already. Stop it or choose another path.");
    }
}
