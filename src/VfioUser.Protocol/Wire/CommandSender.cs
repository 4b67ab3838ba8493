namespace VfioUser.Protocol;

/// <summary>Which side of a connection sends a command.</summary>
internal enum CommandSender
{
    /// <summary>The client: a virtual machine monitor.</summary>
    Client,

    /// <summary>The server: the device.</summary>
    Server,
}
