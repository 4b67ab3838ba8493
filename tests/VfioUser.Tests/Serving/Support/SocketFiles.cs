using System.Net.Sockets;

namespace VfioUser.Tests.Serving;

/// <summary>Socket files as servers leave them.</summary>
internal static class SocketFiles
{
    /// <summary>The file of a server that was killed: .NET would remove it, so it is bound elsewhere and moved.</summary>
    public static void Abandon(string path)
    {
        string elsewhere = Path.GetTempFileName();
        File.Delete(elsewhere);
        using (Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            socket.Bind(new UnixDomainSocketEndPoint(elsewhere));
            socket.Listen();
            File.Move(elsewhere, path);
        }
    }
}
