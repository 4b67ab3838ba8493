namespace VfioUser;

/// <summary>Is notified of a guest's accesses to what the device does not model.</summary>
/// <remarks>Command thread. Once for each offset, tag or set of reserved bits.</remarks>
internal interface IUnmodelledObserver
{
    /// <param name="access">What the guest did, as the predicate of a sentence.</param>
    void Unmodelled(string access);
}
