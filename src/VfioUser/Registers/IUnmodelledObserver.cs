namespace VfioUser;

/// <summary>Hears of what a guest accesses and the device does not model.</summary>
/// <remarks>Command thread. Once for each place.</remarks>
internal interface IUnmodelledObserver
{
    /// <param name="access">What the guest did, in words.</param>
    void Unmodelled(string access);
}
