using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>Provides a descriptor for the client. Equal sources provide the same one, which is sent once.</summary>
internal interface IFdSource
{
    /// <summary>Returns the descriptor, and creates it if needed; borrowed until the client disconnects. Command thread.</summary>
    /// <exception cref="IOException">The system cannot create a descriptor.</exception>
    SafeHandle Open();
}
