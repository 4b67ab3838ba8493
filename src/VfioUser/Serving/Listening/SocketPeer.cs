using System.Net.Sockets;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Reads the credentials of a socket's peer.</summary>
internal static class SocketPeer
{
    public static PeerCredentials Credentials(SafeSocketHandle socket)
    {
        (int processId, uint userId, uint groupId) = SocketCalls.PeerCredentials(socket);
        return new PeerCredentials(processId, userId, groupId);
    }
}
