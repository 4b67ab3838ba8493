using VfioUser.Client;

namespace VfioUser.Testing;

/// <summary>One connection of a guest.</summary>
internal interface IGuestSession
{
    VfioUserClient Client { get; }

    /// <summary>Completes when the server has released the device, as far as the guest knows.</summary>
    Task Serving { get; }

    /// <summary>Disconnects.</summary>
    /// <returns>False if the device still handles something.</returns>
    bool End();
}
