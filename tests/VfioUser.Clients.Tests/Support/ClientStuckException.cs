namespace VfioUser.Clients.Tests;

/// <summary>The original would wait for ever, or give up, where this client is now.</summary>
internal sealed class ClientStuckException(string message) : Exception(message);
