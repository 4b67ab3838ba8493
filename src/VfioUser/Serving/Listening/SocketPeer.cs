using System.Net.Sockets;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Who is at the other end.</summary>
internal static class SocketPeer
{
    public static PeerCredentials Credentials(SafeSocketHandle socket)
    {
        (int processId, uint userId, uint groupId) = SocketCalls.PeerCredentials(socket);
        return new PeerCredentials(processId, userId, groupId);
    }
}
