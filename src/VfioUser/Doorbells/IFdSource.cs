using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>Something that has one descriptor for the client. Equal sources have the same one, which is sent once.</summary>
internal interface IFdSource
{
    /// <summary>The descriptor, made now if there is none yet; borrowed until the client has gone. Command thread.</summary>
    /// <exception cref="IOException">The system has none to give.</exception>
    SafeHandle Open();
}
